"""Which request of A is which of B: by all of it, then by its statement. What is left moved, or has no counterpart.

Every step looks up or sorts; none compares each with each.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.comparison.alignment import Pair, align, gaps
from timetracer_otel.comparison.model import Item, Only
from timetracer_otel.comparison.noise import Noise, hidden
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.replay.library import apart, is_entry, is_shape, question_of

BETWEEN_MAX: Final = 1_000
"""Requests that a moved one may have passed and still be looked at for having been under way with it."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Indexes of items in A and in B."""

    pairs: Sequence[Pair]
    moved: Sequence[Pair]
    only_a: Sequence[int]
    only_b: Sequence[int]


def items(exchanges: Iterable[Exchange]) -> list[Item]:
    """What the application asked for, in recorded order: without the entry itself."""
    asked = (exchange for exchange in apart(exchanges) if not is_entry(exchange) and not is_shape(exchange))
    return [Item(exchange, _marked(exchange), number) for number, exchange in enumerate(asked, start=1)]


def _marked(exchange: Exchange) -> Question:
    """With the slots marked in which something stands for a secret."""
    question = _question(exchange)
    paths = {path.removeprefix("request.") for path in exchange.redacted if path.startswith("request.")}
    if not paths:
        return question
    return replace(question, slots=tuple(hidden(slot) if slot.path in paths else slot for slot in question.slots))


def _question(exchange: Exchange) -> Question:
    if exchange.request:
        try:
            return question_of(exchange)
        except DamagedCassette:  # it is compared by its signature, as what no driver of ours knows
            pass
    lib, method, url = exchange.signature.lib, exchange.signature.method, exchange.signature.url
    return Question(lib, method, url, shape=(exchange.type, lib, method, url), text=f"{method} {url}")


def match(a: Sequence[Item], b: Sequence[Item], noise: Noise) -> Matched:
    """Equal requests in the order of both, then equal ones anywhere; the same statement with other values in what lies
    between equal ones, then anywhere."""
    was, now = [_key(item, noise.trait_a) for item in a], [_key(item, noise.trait_b) for item in b]
    equal = align(was, now)
    left = _left(range(len(a)), equal, 0), _left(range(len(b)), equal, 1)
    moved = list(_moved(was, now, *left))
    left = _left(left[0], moved, 0), _left(left[1], moved, 1)
    alike = list(_by_statement(a, b, equal, (set(left[0]), set(left[1]))))
    left = _left(left[0], alike, 0), _left(left[1], alike, 1)
    far = list(_moved([item.question.shape for item in a], [item.question.shape for item in b], *left))
    return Matched(sorted([*equal, *alike]), [*moved, *far], _left(left[0], far, 0), _left(left[1], far, 1))


def _key(item: Item, trait: Callable[[Slot], Hashable]) -> Hashable:
    return item.question.shape, tuple(map(trait, item.question.slots))


def _by_statement(
    a: Sequence[Item], b: Sequence[Item], equal: Sequence[Pair], free: tuple[Collection[int], Collection[int]]
) -> Iterator[Pair]:
    for gap in gaps(equal, len(a), len(b)):
        lefts, rights = ([index for index in indexes if index in free[side]] for side, indexes in enumerate(gap))
        found = align([a[index].question.shape for index in lefts], [b[index].question.shape for index in rights])
        yield from ((lefts[left], rights[right]) for left, right in found)


def _left(indexes: Iterable[int], pairs: Iterable[Pair], side: int) -> list[int]:
    """Those that are in none of the pairs."""
    gone = {pair[side] for pair in pairs}
    return [index for index in indexes if index not in gone]


def _moved(was: Sequence[Hashable], now: Sequence[Hashable], a: Sequence[int], b: Sequence[int]) -> Iterator[Pair]:
    places: dict[Hashable, deque[int]] = {}
    for index in b:
        places.setdefault(now[index], deque()).append(index)
    for index in a:
        if found := places.get(was[index]):
            yield index, found.popleft()


def only(indexes: Iterable[int], own: Sequence[Item], a: Sequence[Item], b: Sequence[Item]) -> tuple[Only, ...]:
    """By statement, in the order of the first call."""
    calls: dict[Hashable, list[Item]] = {}
    for index in indexes:
        calls.setdefault(own[index].question.shape, []).append(own[index])
    in_a, in_b = (Counter(item.question.shape for item in side) for side in (a, b))
    return tuple(Only(tuple(found), in_a[shape], in_b[shape]) for shape, found in calls.items())


# ---- order -----------------------------------------------------------------------------------------------------------


class Order:
    """Tells whether a request that stands at another place was under way with all that it passed."""

    def __init__(self, a: Sequence[Item], b: Sequence[Item], pairs: Sequence[Pair]) -> None:
        self._a, self._b, self._pairs = a, b, pairs
        self._lefts, self._rights = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def is_free(self, moved: Pair) -> bool:
        """True if its order was chance: by asyncio.gather, or by threads."""
        first, last = sorted((bisect_left(self._lefts, moved[0]), bisect_left(self._rights, moved[1])))
        passed = self._pairs[first:last]
        return 0 < len(passed) <= BETWEEN_MAX and all(self._overlaps(moved, each) for each in passed)

    def _overlaps(self, moved: Pair, passed: Pair) -> bool:
        return _overlap(self._a[moved[0]].exchange, self._a[passed[0]].exchange) or _overlap(
            self._b[moved[1]].exchange, self._b[passed[1]].exchange
        )


def _overlap(one: Exchange, other: Exchange) -> bool:
    return one.at_ns < other.at_ns + other.duration_ns and other.at_ns < one.at_ns + one.duration_ns
