"""Why a request found no answer: the nearest recorded one and what differs, in the words of the report. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from timetracer_otel.cassette import values
from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.replay.likeness import TEXT_MAX, WORD

if TYPE_CHECKING:  # a report is made without them
    from timetracer_otel.replay.candidates import Candidate
    from timetracer_otel.replay.matching import Index
    from timetracer_otel.replay.origin import Origins

UNANSWERED: Final = "timetracer: no recorded answer for"
"""How the text of a driver's exception begins, or what it holds."""
SHOWN_MAX: Final = 300
"""Characters of a statement or a value in the driver's exception."""
TOLD_MAX: Final = 3
"""Differences in the driver's exception."""
STATEMENT_DIFFERENCES_MAX: Final = 5
ABSENT: Final = "(none)"
KEYS: Final = "order of keys"
SIDES: Final = {True: "inside", False: "outside", None: ABSENT}


@dataclass(frozen=True, slots=True)
class Differs:
    path: str
    recorded: Value
    asked: Value


@dataclass(frozen=True, slots=True)
class Nearest:
    exchange: Exchange
    question: Question
    is_used: bool
    differences: tuple[Differs, ...]

    def is_in_place_of(self, question: Question) -> bool:
        """True if the app most likely asked this in place of it: with other values, and nobody has asked it yet."""
        return not self.is_used and self.question.shape == question.shape


def nearest(index: Index, question: Question, origins: Origins) -> Nearest | None:
    """The recorded request most like this one: of the same shape with the fewest differing values, unused before used;
    else the most similar statement, if any is similar at all. Among thousands it is one of the most alike.

    A value of which `origins` proves that it may differ, such as an instant, is told only where nothing else differs.
    """
    if (family := index.family(question)) is not None:
        near = family.near(question)
        best = min(near, key=lambda each: (len(_values(each.question, question)), each.is_used, each.order))
        found = _values(best.question, question)
        telling = tuple(each for each in found if not _is_excused(each, best, question, origins))
        told = telling or _order(best.question.slots, question.slots) or found
        return Nearest(best.exchange, best.question, best.is_used, told)
    similar = index.statements.nearest(question)
    if similar is None:
        return None
    return Nearest(similar.exchange, similar.question, similar.is_used, _statement(similar.question, question))


def _values(recorded: Question, asked: Question) -> tuple[Differs, ...]:
    pairs = _different(_by_path(recorded.slots, asked.slots)) or _different(zip_longest(recorded.slots, asked.slots))
    differences = [
        Differs(path, was.shown if was is not None else ABSENT, now.shown if now is not None else ABSENT)
        for path, was, now in pairs
    ]
    was_inside, is_inside = recorded.in_transaction, asked.in_transaction
    if None not in (was_inside, is_inside) and was_inside is not is_inside:
        differences.append(Differs("transaction", SIDES[was_inside], SIDES[is_inside]))
    return tuple(differences)


Pairs: TypeAlias = "Iterable[tuple[Slot | None, Slot | None]]"


def _by_path(recorded: Sequence[Slot], asked: Sequence[Slot]) -> Pairs:
    """Each value with its counterpart, whatever stands before it. Nothing where a path is not unique."""
    was, now = {slot.path: slot for slot in recorded}, {slot.path: slot for slot in asked}
    if len(was) < len(recorded) or len(now) < len(asked):
        return ()
    return [(was.get(path), now.get(path)) for path in dict.fromkeys([*was, *now])]


def _different(pairs: Pairs) -> list[tuple[str, Slot | None, Slot | None]]:
    return [
        ((now or was).path, was, now)  # type: ignore[union-attr]  # one of the two is there
        for was, now in pairs
        if was is None or now is None or was.key != now.key or was.path != now.path
    ]


def _order(recorded: Sequence[Slot], asked: Sequence[Slot]) -> tuple[Differs, ...]:
    """Of the same paths in another order, as of the keys of a document: those that stand elsewhere."""
    if sorted(slot.path for slot in recorded) != sorted(slot.path for slot in asked):
        return ()
    moved = [(was.path, now.path) for was, now in zip(recorded, asked, strict=True) if was.path != now.path]
    return (Differs(KEYS, [was for was, _ in moved], [now for _, now in moved]),) if moved else ()


def _is_excused(each: Differs, recorded: Candidate, asked: Question, origins: Origins) -> bool:
    was, now = ([slot for slot in one.slots if slot.path == each.path] for one in (recorded.question, asked))
    proof = origins.proves(was, now, recorded.redacted, recorded.exchange.at_ns) if len(was) == 1 else None
    return proof is not None and all(mapping.kind != "redacted" for mapping in proof)  # a secret may be any


def _statement(recorded: Question, asked: Question) -> tuple[Differs, ...]:
    if recorded.text == asked.text and recorded.database != asked.database:
        return (Differs("database", recorded.database, asked.database),)
    was, now = WORD.findall(recorded.text[:TEXT_MAX]), WORD.findall(asked.text[:TEXT_MAX])
    matcher = difflib.SequenceMatcher(None, was, now, autojunk=False)
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"][:STATEMENT_DIFFERENCES_MAX]
    words = tuple(Differs("statement", _joined(was[a:b]), _joined(now[c:d])) for _, a, b, c, d in changes)
    return words or (Differs("statement", recorded.text, asked.text),)


def _joined(words: Sequence[str]) -> str:
    return "".join(words).strip() or ABSENT


def exhausted(near: Nearest | None, recorded: int, calls: int) -> Nearest | None:
    """R32: an equal request that was made more often than recorded differs in nothing but the number of calls."""
    return None if near is None else replace(near, differences=(Differs("calls", recorded, calls),))


def used_up(recorded: int, calls: int) -> str:
    times = "once" if recorded == 1 else f"{recorded} times"
    return f"recorded {times}, all used up: this is call number {calls}"


def reason_unfit(exchange: Exchange) -> str | None:
    """Why a recorded exchange cannot answer; None when it can."""
    if exchange.dropped:
        size = exchange.dropped.get("size")
        sized = f" ({size} bytes)" if size else ""
        reason = exchange.dropped.get("reason", "dropped")
        return f"exchange {exchange.id} was recorded without its payload{sized}: {reason}"
    if not exchange.complete:
        return f"exchange {exchange.id} was recorded without its end: the answer was still open"
    return None


def request_json(question: Question) -> dict[str, Any]:
    """A request as the report has it."""
    return {
        "lib": question.lib,
        "method": question.method,
        "url": question.url,
        "text": question.text,
        "values": _shown(question),
    }


def nearest_json(near: Nearest | None) -> dict[str, Any] | None:
    if near is None:
        return None
    return {
        "exchange": near.exchange.id,
        "text": near.question.text,
        "values": _shown(near.question),
        "used": near.is_used,
    }


def _shown(question: Question) -> list[Any]:
    return [values.encode(slot.shown) for slot in question.slots if not slot.is_detail]


def differences_json(near: Nearest | None) -> list[dict[str, Any]]:
    return [_difference_json(each) for each in (near.differences if near is not None else ())]


def _difference_json(each: Differs) -> dict[str, Any]:
    return {"path": each.path, "recorded": values.encode(each.recorded), "asked": values.encode(each.asked)}


def one_line(question: Question, near: Nearest | None, note: str) -> str:
    parts = [f"{UNANSWERED} {' '.join(question.text.split())[:SHOWN_MAX]}"]
    if note:
        parts.append(note)
    elif near is not None and near.differences:
        parts.append(f"nearest exchange {near.exchange.id}, " + ", ".join(map(_told, near.differences[:TOLD_MAX])))
    return "; ".join(parts)


def _told(each: Differs) -> str:
    return f"{each.path}: recorded {each.recorded!r:.{SHOWN_MAX}}, asked {each.asked!r:.{SHOWN_MAX}}"
