"""The course of the requests that were answered: in which transaction each stood, and after which other one.

Answers go by content, so that a statement which a change has moved is answered as before. Where it stood decides what
the server does with it, and is looked at here, when all has been asked.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import Question
from timetracer_otel.replay.kept import BEGINS, ENDS, is_end

REORDERED: Final = "asked in another order than was recorded"
TOLD_MAX: Final = 3
_WORD: Final = re.compile(r"[A-Z]+")
TEXT_MAX: Final = 80

Frames: TypeAlias = tuple[str, ...]
"""The savepoints around a statement, from the outermost: ids of the requests that set them."""


@dataclass(frozen=True, slots=True)
class Step:
    """A recorded request and where the replay asked for it."""

    exchange: Exchange
    question: Question
    process: int = 0
    """Which one of the replay asked: each has answers of its own."""
    transaction: int | None = None
    """The one of the replay; None outside of any."""
    task: str = ""
    """Which task or thread of the process asked."""


def steps(
    events: Iterable[Mapping[str, Any]], recorded: Sequence[Exchange], question: Callable[[Exchange], Question]
) -> list[Step]:
    """In the order of the replay. Left out are fetches from a cursor, whose pages may be of any size, and what nobody
    waits for: it reaches its server when it does."""
    by_id = {each.id: each for each in recorded if not (_is_of_cursor(each) or each.result.get("unacknowledged"))}
    asked = (event for event in events if "task" in event)  # what nobody asks for counts as answered, too
    answered = ((by_id[event["exchange"]], event) for event in asked if event["exchange"] in by_id)
    return [
        Step(each, question(each), event["process"], event["transaction"], event["task"]) for each, event in answered
    ]


def _is_of_cursor(exchange: Exchange) -> bool:
    return "cursor" in exchange.request or bool(exchange.request.get("portal"))


# ---- transactions ----------------------------------------------------------------------------------------------------


def in_another_transaction(taken: Sequence[Step]) -> list[Exchange]:
    """Requests that were asked in another transaction than was recorded, or on the other side of a savepoint.

    Transactions are told apart by their statements without values, in any order: of several that ran together each may
    have got ids and answers of another, and a set gives another order.
    """
    inside = [step for step in taken if _is_inside(step)]
    then = list(_grouped(sorted(inside, key=lambda step: (step.exchange.at_ns, step.exchange.id)), _recorded_in))
    now = _grouped(inside, _replayed_in)
    left = Counter(map(_content, then))
    others = [each for each in now if not _take_one(left, _content(each))]
    if not others:
        return []
    recorded = {step.exchange.id: (number, frames) for number, own in enumerate(then) for step, frames in _framed(own)}
    moved = [step.exchange for own in others for step in _moved(own, recorded)]
    return moved or [others[0][0].exchange]


def _is_inside(step: Step) -> bool:
    """Not what begins it: SQLAlchemy names the usual level there or not, by what its connection has done before."""
    is_begin = step.question.method.upper() in BEGINS
    return step.transaction is not None and step.exchange.transaction is not None and not is_begin


def _recorded_in(step: Step) -> Hashable:
    process, _, _ = step.exchange.id.rpartition("-")  # of a fork, it goes on to count as its parent did
    return step.process, registry.wire(step.question.lib), process, step.exchange.transaction


def _replayed_in(step: Step) -> Hashable:
    return step.process, registry.wire(step.question.lib), step.transaction


def _grouped(own: Iterable[Step], number: Callable[[Step], Hashable]) -> Iterator[list[Step]]:
    """By transaction. One number may stand for several: in a pipeline, and after COMMIT AND CHAIN."""
    found: dict[Hashable, list[Step]] = {}
    for step in own:
        found.setdefault(number(step), []).append(step)
        if _is_end(step.question):
            yield found.pop(number(step))
    yield from found.values()


def _is_end(question: Question) -> bool:
    """Also of several statements in one, wherever the end stands there."""
    words = _WORD.findall(question.text.upper())
    return (";" in question.text and not ENDS.isdisjoint(words) and "TO" not in words) or is_end(question)


def _take_one(counted: Counter[Hashable], key: Hashable) -> bool:
    counted[key] -= 1
    return counted[key] >= 0


def _content(own: Sequence[Step]) -> Hashable:
    """Its statements, each with the statements by which the savepoints around it were set; how often each."""
    shapes = {step.exchange.id: step.question.shape for step in own}
    counted = Counter((step.question.shape, tuple(shapes[each] for each in frames)) for step, frames in _framed(own))
    return frozenset(counted.items())


def _framed(own: Sequence[Step]) -> Iterator[tuple[Step, Frames]]:
    """Each with the ids of the requests by which the savepoints around it were set. That which ends one is outside."""
    frames: Frames = ()
    for step in own:
        move = _savepoint_move(step.question)
        if move == "end":
            frames = frames[:-1]
        yield step, frames
        if move == "begin":
            frames = (*frames, step.exchange.id)


def _savepoint_move(question: Question) -> str:
    method = question.method.upper()
    if method == "SAVEPOINT":
        return "begin"
    is_end = method == "RELEASE" or (method == "ROLLBACK" and "TO" in question.text.upper().split())
    return "end" if is_end else ""


def _moved(own: Sequence[Step], recorded: Mapping[str, tuple[int, Frames]]) -> Iterator[Step]:
    """Those of a transaction of the replay that most of it does not share its recorded place with."""
    (home, _), *_ = Counter(recorded[step.exchange.id][0] for step in own).most_common(1)
    return (step for step, frames in _framed(own) if recorded[step.exchange.id] != (home, frames))


# ---- order -----------------------------------------------------------------------------------------------------------


def in_another_order(taken: Sequence[Step]) -> Iterator[str]:
    """What to say where one task asked for something before what it had followed in the recording, or after what had
    followed it. It decides nothing: a set, or what is done as answers come, gives another order without any change."""
    by_task: defaultdict[tuple[int, str], list[tuple[Exchange, Step]]] = defaultdict(list)
    for exchange, step in _in_their_places(taken):
        by_task[step.process, step.task].append((exchange, step))
    told = [text for own in by_task.values() for text in _moved_among(own)]
    yield from (f"{REORDERED}: {text}" for text in told[:TOLD_MAX])
    if len(told) > TOLD_MAX:
        yield f"{REORDERED}: {len(told) - TOLD_MAX} more requests"


def _moved_among(own: Sequence[tuple[Exchange, Step]]) -> Iterator[str]:
    """Those that others have passed, as few as can be. None that were under way together: their order was chance."""
    stayed = _stayed([(exchange.at_ns, exchange.id) for exchange, _ in own])
    for index, (exchange, step) in enumerate(own):
        place = bisect_left(stayed, index)
        if stayed[place : place + 1] == [index]:
            continue
        if place and _ended_ns(exchange) <= own[stayed[place - 1]][0].at_ns:
            yield f"{_told(step)} after {_told(own[stayed[place - 1]][1])}"
        elif place < len(stayed) and _ended_ns(own[stayed[place]][0]) <= exchange.at_ns:
            yield f"{_told(step)} before {_told(own[stayed[place]][1])}"


def _stayed(ranks: Sequence[tuple[int, str]]) -> list[int]:
    """Indexes of the most that are in ascending order.

    Source: Fredman, "On computing the length of longest increasing subsequences" (1975).
    """
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for index, rank in enumerate(ranks):
        length = bisect_left(ends, rank, key=lambda end: ranks[end])
        before[index] = ends[length - 1] if length else None
        ends[length : length + 1] = [index]
    found, at = list[int](), ends[-1] if ends else None
    while at is not None:
        found.append(at)
        at = before[at]
    return found[::-1]


def _ended_ns(exchange: Exchange) -> int:
    return exchange.at_ns + exchange.duration_ns


def _in_their_places(taken: Sequence[Step]) -> Iterator[tuple[Exchange, Step]]:
    """The recorded request that each stands for: the first of equal ones for the first, whichever has answered."""
    equal: defaultdict[Hashable, deque[Exchange]] = defaultdict(deque)
    for step in sorted(taken, key=lambda step: (step.exchange.at_ns, step.exchange.id)):
        equal[_key(step.question)].append(step.exchange)
    for step in taken:
        yield equal[_key(step.question)].popleft(), step


def _key(question: Question) -> Hashable:
    return question.lib, question.shape, question.in_transaction, tuple(slot.key for slot in question.slots)


def _told(step: Step) -> str:
    text = " ".join(step.question.text.split())
    return f"{text[:TEXT_MAX]}{'…' * (len(text) > TEXT_MAX)} (exchange {step.exchange.id})"
