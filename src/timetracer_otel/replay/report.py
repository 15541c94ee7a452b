"""The verdict, as a value: built outside the replaying process from the cassette and the events that came out of it.

Misses come first: a different response is usually their symptom. `to_json` is stable.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from timetracer_otel.cassette.model import Cassette, Exchange, Segment
from timetracer_otel.cassette.order import is_reordered, is_same_multiset
from timetracer_otel.drivers.base import Question
from timetracer_otel.replay.course import Step, in_another_order, in_another_transaction, steps
from timetracer_otel.replay.explain import ABSENT, request_json
from timetracer_otel.replay.hosts import alike
from timetracer_otel.replay.journal import Event
from timetracer_otel.replay.library import apart, question_of, requests_of, with_children
from timetracer_otel.replay.likeness import are_reordered
from timetracer_otel.replay.verdict import EXIT, Events, Verdict, reasons, verdict
from timetracer_otel.replay.warm import asked_elsewhere, made_ready

FORMAT: Final = 1
_NUMBER: Final = re.compile(r"\d+")
CHILDREN: Final = "without a network namespace only programs that load Python's guards are started"


@dataclass(frozen=True, slots=True)
class Miss:
    request: Mapping[str, Any]
    frame: str
    span: str
    nearest: Mapping[str, Any] | None
    differences: tuple[Mapping[str, Any], ...]
    note: str = ""
    consequent: bool = False
    is_cut: bool = False
    """The recorded answer is there, but not whole."""
    is_refused: bool = False
    """Nobody records this library: the call was going to leave the process."""
    is_reordered: bool = False
    """The nearest request has the same values in another order."""
    earlier: str = ""
    """The segment in which the recorded process had asked the same before: it may have kept the answer."""


@dataclass(frozen=True, slots=True)
class Report:
    """JSON data throughout: payload values are in `cassette.values` form."""

    cassette: str
    segment: str
    verdict: Verdict
    name: str = ""
    """`<trace prefix>/<root span prefix>`, for people."""
    entry: str = ""
    """`GET /orders/{id}`, for people."""
    misses: tuple[Miss, ...] = ()
    recorded: Mapping[str, Any] = field(default_factory=dict)
    replayed: Mapping[str, Any] = field(default_factory=dict)
    differences: tuple[Mapping[str, Any], ...] = ()
    unused: tuple[Mapping[str, Any], ...] = ()
    moved: tuple[Mapping[str, Any], ...] = ()
    """Asked in another transaction than was recorded, or on the other side of a savepoint."""
    ambiguous: tuple[Mapping[str, Any], ...] = ()
    mappings: tuple[Mapping[str, Any], ...] = ()
    redacted: tuple[Mapping[str, Any], ...] = ()
    ignored: tuple[Mapping[str, Any], ...] = ()
    uncontrolled: tuple[str, ...] = ()
    changed: tuple[Mapping[str, Any], ...] = ()
    """Versions and variables that are not those of the recording: `{"name", "recorded", "replayed"}`."""
    folder: str = ""
    """Where the code ran, if that was not the current folder."""
    reasons: tuple[str, ...] = ()
    """Why it is inconclusive."""
    traceback: str = ""
    """Of the exception that the replayed app raised, for people."""

    @property
    def exit_code(self) -> int:
        """0 same, 1 deviates, 3 inconclusive."""
        return EXIT[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """The schema of `--json`: what is inconclusive says why among the uncontrolled."""
        outcome = {"recorded": self.recorded, "replayed": self.replayed, "differences": list(self.differences)}
        return {
            "report": FORMAT,
            "cassette": self.cassette,
            "segment": self.segment,
            "verdict": self.verdict,
            "misses": [_miss_json(miss) for miss in self.misses],
            "outcome": outcome,
            "unused": list(self.unused),
            "moved": list(self.moved),
            "ambiguous": list(self.ambiguous),
            "mappings": list(self.mappings),
            "redacted": list(self.redacted),
            "ignored": list(self.ignored),
            "changed": list(self.changed),
            "folder": self.folder or None,
            "uncontrolled": [*self.uncontrolled, *(f"inconclusive: {reason}" for reason in self.reasons)],
        }


def _miss_json(miss: Miss) -> dict[str, Any]:
    near = miss.nearest
    return {
        "request": miss.request,
        "frame": miss.frame,
        "span": miss.span,
        "nearest": None if near is None else {name: near[name] for name in ("exchange", "text", "values")},
        "differences": list(miss.differences),
        "consequent": miss.consequent,
        "order_only": miss.is_reordered,
        "earlier": miss.earlier or None,
    }


def build(
    cassette: Cassette,
    segment: Segment,
    events: Iterable[Event],
    ending: str | None = None,
    has_entry: bool = True,
    question: Callable[[Exchange], Question] = question_of,
    changed: Iterable[Mapping[str, Any]] = (),
    folder: str = "",
) -> Report:
    """`ending`: how the process ended before its time ("timed out after 60 s"); `has_entry`: False for `exec`, whose
    program has no recorded outcome; `changed`: what is other than when it was recorded; `folder`: where its code
    ran, if not in the current one."""
    segment = with_children(cassette, segment)
    segment = replace(segment, exchanges=tuple(apart(segment.exchanges)))
    journal = Events(events)
    misses = tuple(_misses(journal))
    comparison = journal.last("comparison") or {}
    differences = tuple(_difference(each, bool(misses)) for each in comparison.get("differences", ()))
    early = (exchange for each in cassette.environment_of(segment) for exchange in apart(each.exchanges))
    unused = tuple(_unused(segment, tuple(early), journal, question))
    doubts = tuple(dict.fromkeys(reasons(segment, journal, ending, has_entry, bool(misses or differences))))
    outcome = journal.last("outcome") or {}
    course = _course(segment, journal, question) if not misses else []
    moved = tuple(_named(each, question) for each in in_another_transaction(course))
    is_other = bool(misses or differences or unused or moved)
    told = (*_uncontrolled(journal, is_other), *in_another_order(course), *alike(segment.exchanges, question))
    return Report(
        cassette=cassette.path or cassette.trace_id,
        segment=segment.id,
        verdict=verdict(segment, journal, is_other, doubts),
        name=segment.name,
        entry=segment.entry.name if segment.entry is not None else "",
        misses=misses,
        recorded=outcome.get("recorded", {}),
        replayed=outcome.get("replayed", {}),
        differences=differences,
        unused=unused,
        moved=moved,
        ambiguous=_unique(_named(each, question) for each in _answered_in_doubt(segment, journal)),
        mappings=_unique(_picked(event, "kind", "recorded", "replayed") for event in journal.of("mapping")),
        redacted=_unique(_picked(event, "exchange", "path") for event in journal.of("redacted")),
        ignored=tuple(comparison.get("ignored", ())),
        uncontrolled=tuple(dict.fromkeys(told)),
        changed=tuple(changed),
        folder=folder,
        reasons=doubts,
        traceback=outcome.get("traceback", ""),
    )


# ---- misses ----------------------------------------------------------------------------------------------------------


def _misses(journal: Events) -> Iterable[Miss]:
    seen: set[tuple[str, str]] = set()
    for event in journal.all:
        if event["event"] == "miss":
            yield _miss(event)
        elif (
            event["event"] == "refused" and event["in_entry"] and (call := (event["what"], event["target"])) not in seen
        ):
            seen.add(call)
            yield _refusal(event)


def _miss(event: Event) -> Miss:
    return Miss(
        request=event["request"],
        frame=event["frame"],
        span=event["span"],
        nearest=event["nearest"],
        differences=tuple(event["differences"]),
        note=event["note"],
        consequent=event["consequent"],
        is_cut=event["unfit"],
        is_reordered=_is_reordered(event["differences"]) or _has_words_reordered(event),
    )


def _is_reordered(differences: Sequence[Mapping[str, Any]]) -> bool:
    """One value in another order, or values that have changed places, as in `IN ($1, $2)`."""
    if not differences or any(each["path"] in ("statement", "calls") for each in differences):
        return False
    if all(is_reordered(each["recorded"], each["asked"]) for each in differences):
        return True
    was, now = [each["recorded"] for each in differences], [each["asked"] for each in differences]
    return (
        len(differences) > 1 and is_same_multiset(was, now) and _places(differences, was) == _places(differences, now)
    )


def _places(differences: Sequence[Mapping[str, Any]], side: Sequence[Any]) -> list[str]:
    """Where one side has a value, whatever its number: a value under another name has not changed places."""
    return sorted(
        _NUMBER.sub("", each["path"]) for each, value in zip(differences, side, strict=True) if value != ABSENT
    )


def _has_words_reordered(event: Event) -> bool:
    """The statement itself, as `SELECT "name", "id"`, or `IN ('b', 'a')` of a client that puts its values into it."""
    paths = {each["path"] for each in event["differences"]}
    return paths == {"statement"} and are_reordered(event["nearest"]["text"], event["request"]["text"])


def _difference(each: Mapping[str, Any], follows: bool) -> dict[str, Any]:
    order = {"order_only": True} if is_reordered(each["recorded"], each["replayed"]) else {}
    return {**each, "consequent": follows, **order}


def _refusal(event: Event) -> Miss:
    """A call that left the process by a library without a driver of ours (R51)."""
    text = f"{event['what']} {event['target']}"
    library = event["library"] or "socket"
    request = {"lib": library, "method": event["what"], "url": event["target"], "text": text, "values": []}
    note = CHILDREN if event["what"] == "run" else f"{library} is not recorded, and nothing leaves this replay"
    return Miss(request, event["frame"], event["span"], None, (), note, is_refused=True)


# ---- what was not asked ----------------------------------------------------------------------------------------------


def _unused(
    segment: Segment, early: Sequence[Exchange], journal: Events, question: Callable[[Exchange], Question]
) -> Iterable[Mapping[str, Any]]:
    """`early`: what the process had asked before."""
    taken = set(journal.taken_before(len(journal.all))) | {event["exchange"] for event in journal.of("incomplete")}
    recorded = sorted(requests_of(segment.exchanges), key=lambda each: (each.at_ns, each.id))
    left = [exchange for exchange in recorded if exchange.id not in taken]
    if left and (ready := tuple(made_ready(recorded, segment.pools))):
        spared = asked_elsewhere(ready, recorded, early, taken, question)
        left = [each for each in left if each.id not in spared]
    unused = [(exchange, _named(exchange, question)) for exchange in left]
    follows = _follows_from_a_miss(segment, journal, {exchange.id: named for exchange, named in unused})
    for exchange, named in unused:
        yield {**named, "consequent": follows(exchange)}


def _follows_from_a_miss(
    segment: Segment, journal: Events, unused: Mapping[str, Mapping[str, Any]]
) -> Callable[[Exchange], bool]:
    """What was recorded after the last answer before the first miss was never reached; and each miss stands for one
    exchange that was asked in another form."""
    first = next((number for number, event in enumerate(journal.all) if event["event"] == "miss"), None)
    if first is None:
        return lambda exchange: False
    before = set(journal.taken_before(first))
    reached_ns = max((each.at_ns for each in segment.exchanges if each.id in before), default=-1)
    meant = _meant(journal.of("miss"), unused)
    return lambda exchange: exchange.at_ns >= reached_ns or exchange.id in meant


def _meant(misses: Iterable[Event], unused: Mapping[str, Mapping[str, Any]]) -> Collection[str]:
    """For each miss the nearest one; where that had answered an equal request already, the first other one of its
    statement."""
    alike: dict[tuple[str, str], deque[str]] = {}
    for name, each in unused.items():
        alike.setdefault((each["text"], each["lib"]), deque()).append(name)
    meant: set[str] = set()
    for miss in misses:
        if miss["nearest"] and miss["nearest"]["exchange"] in unused:
            meant.add(miss["nearest"]["exchange"])
        elif not miss["consequent"]:
            others = alike.get((miss["request"]["text"], miss["request"]["lib"]), deque())
            meant.update(islice(_without(meant, others), 1))
    return meant


def _without(meant: Collection[str], names: deque[str]) -> Iterator[str]:
    """What is left, the first in front; what is meant already is looked at once."""
    while names:
        if (name := names.popleft()) not in meant:
            yield name


def _course(segment: Segment, journal: Events, question: Callable[[Exchange], Question]) -> list[Step]:
    """Without what pools do by themselves, when they need to."""
    asked = requests_of(segment.exchanges)
    ready = {each.id for each in made_ready(asked, segment.pools)}
    return steps(journal.of("take"), [each for each in asked if each.id not in ready], question)


def _answered_in_doubt(segment: Segment, journal: Events) -> Iterable[Exchange]:
    doubtful = {event["exchange"] for event in journal.of("ambiguous")}
    return (exchange for exchange in segment.exchanges if exchange.id in doubtful)


def _named(exchange: Exchange, question: Callable[[Exchange], Question]) -> dict[str, Any]:
    return {**request_json(question(exchange)), "exchange": exchange.id}


def _uncontrolled(journal: Events, is_other: bool) -> Iterable[str]:
    yield from (event["text"] for event in journal.of("uncontrolled"))
    for event in journal.of("refused"):
        if not event["in_entry"]:
            yield f"refused {event['what']} {event['target']}, outside the replayed trace"
    for event in journal.of("earlier"):
        yield f"answered from {event['session']}, an earlier request of the process: {event['text']}"
    yield from sorted(event["text"] for event in journal.of("chance"))  # threads draw in any order
    if is_other:
        yield from (event["text"] for event in journal.of("masked"))


def _picked(event: Event, *names: str) -> dict[str, Any]:
    return {name: event[name] for name in names}


def _unique(found: Iterable[dict[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    unique: dict[str, dict[str, Any]] = {}
    for each in found:
        unique.setdefault(json.dumps(each, sort_keys=True), each)
    return tuple(unique.values())
