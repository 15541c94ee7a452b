"""What the events of a replay come to: the same, deviating, or not to be decided, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from timetracer_otel.cassette.model import Segment
from timetracer_otel.replay.explain import reason_unfit
from timetracer_otel.replay.journal import Event
from timetracer_otel.replay.library import entry_of, unknown_libs

Verdict: TypeAlias = Literal["same", "deviates", "inconclusive"]
EXIT: Final[Mapping[Verdict, int]] = {"same": 0, "deviates": 1, "inconclusive": 3}
NOT_LOSSES: Final = frozenset(
    {"keep", "not_entry", "no_span", "limit", "in_flight", "trace", "environment"}
    | {"unredactable", "store", "spill", "open", "pathsend", "zerocopysend", "websocket"}
)
"""Counters of a segment that stand for no request of its own, or for one that is there and says that it was cut."""


class Events:
    """The journal of one replay, by kind."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.all = list(events)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.all if event["event"] == kind]

    def last(self, kind: str) -> Event | None:
        return next((event for event in reversed(self.all) if event["event"] == kind), None)

    def taken_before(self, limit: int) -> list[str]:
        """Ids of the exchanges that had answered before event number `limit`."""
        return [event["exchange"] for event in self.all[:limit] if event["event"] == "take"]


def verdict(segment: Segment, journal: Events, deviates: bool, reasons: Sequence[str]) -> Verdict:
    if reasons and not _is_proven(segment, journal):
        return "inconclusive"
    return "deviates" if deviates else "same"


def _is_proven(segment: Segment, journal: Events) -> bool:
    """A miss in a whole recording that came before anything that cannot be decided: it does not follow from that."""
    entry = entry_of(segment)
    if segment.root is None or _lost(segment) or (entry is not None and not entry.complete):
        return False
    decisive = (e for e in journal.all if e["event"] == "incomplete" or (e["event"] == "miss" and not e["unfit"]))
    return next((event["event"] == "miss" for event in decisive), False)


def reasons(segment: Segment, journal: Events, ending: str | None, has_entry: bool, deviates: bool) -> Iterable[str]:
    """What keeps this replay from being decided, by name."""
    yield from (event["reason"] for event in journal.of("incomplete"))
    if segment.root is None:
        yield f"segment {segment.name} was recorded without its end: the process was killed or still running"
    if (lost := _lost(segment)) and journal.of("miss"):
        yield f"segment {segment.name} has gaps ({lost}): what missed may have been recorded there"
    for lib, count in unknown_libs(segment.exchanges).items():
        yield f"{count} recorded exchanges of {lib}: this release has no driver that could answer or compare them"
    entry = entry_of(segment) if has_entry else None
    if entry is not None and (reason := reason_unfit(entry)) is not None:
        yield reason
    if ending is not None and not deviates:
        yield ending
    elif has_entry and entry is not None and not deviates and journal.last("outcome") is None:
        yield "the replaying process ended before the entry did"


def _lost(segment: Segment) -> str:
    losses = [f"{reason}: {count}" for reason, count in segment.dropped.items() if count and reason not in NOT_LOSSES]
    return ", ".join(losses if segment.complete else ["not complete", *losses])
