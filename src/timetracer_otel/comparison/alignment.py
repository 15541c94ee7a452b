"""Two sequences lined up: which item of the one is which of the other. Pure, and never quadratic."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from typing import Final, TypeAlias

Pair: TypeAlias = tuple[int, int]
"""Indexes of equal items."""

CHANGES_MAX: Final = 1_000
"""Items without a counterpart up to which the pairs are the most that there are; beyond it they are nearly so."""
REACH_MAX: Final = 8
"""Beyond it the k-th occurrence of an item may be the k-8th to k+8th of the other side: with all of them, ten thousand
calls of one statement would be a hundred million pairs."""
PAIRS_MAX: Final = 500_000


def align(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Pair]:
    """Pairs of equal items, in the order of both, and as many as can be."""
    numbers: dict[Hashable, int] = {}
    left, right = ([numbers.setdefault(item, len(numbers)) for item in side] for side in (a, b))
    start = _common(left, right)
    end = _common(left[start:][::-1], right[start:][::-1])
    middle = left[start : len(left) - end], right[start : len(right) - end]
    found = _shortest(*middle)
    return [
        *((index, index) for index in range(start)),
        *((start + one, start + other) for one, other in (_longest(*middle) if found is None else found)),
        *((len(left) - back, len(right) - back) for back in range(end, 0, -1)),
    ]


def gaps(pairs: Sequence[Pair], a: int, b: int) -> Iterator[tuple[range, range]]:
    """What lies before, between and behind the pairs in sequences of `a` and `b` items; never two empty ranges."""
    after_a = after_b = 0
    for left, right in [*pairs, (a, b)]:
        if left > after_a or right > after_b:
            yield range(after_a, left), range(after_b, right)
        after_a, after_b = left + 1, right + 1


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many items both begin with."""
    shortest = min(len(a), len(b))
    return next((index for index in range(shortest) if a[index] != b[index]), shortest)


# ---- few changes -----------------------------------------------------------------------------------------------------


def _shortest(a: Sequence[int], b: Sequence[int]) -> list[Pair] | None:
    """None if more than CHANGES_MAX items have no counterpart.

    Source: Myers, "An O(ND) difference algorithm and its variations" (1986): diagonal -> how far one comes in `a`.
    """
    reached: dict[int, int] = {1: 0}
    before: list[dict[int, int]] = []
    for changes in range(min(CHANGES_MAX, len(a) + len(b)) + 1):
        before.append(reached)
        reached = {}
        for diagonal in range(-changes, changes + 1, 2):
            x = _step(before[-1], diagonal, changes)[0]
            while x < len(a) and x - diagonal < len(b) and a[x] == b[x - diagonal]:
                x += 1
            reached[diagonal] = x
            if x >= len(a) and x - diagonal >= len(b):
                return _way_back(before, len(a), len(b))
    return None


def _step(before: dict[int, int], diagonal: int, changes: int) -> tuple[int, int]:
    """Where one stands on the diagonal after one more change, and the diagonal from which one came."""
    if diagonal == -changes or (diagonal != changes and before[diagonal - 1] < before[diagonal + 1]):
        return before[diagonal + 1], diagonal + 1
    return before[diagonal - 1] + 1, diagonal - 1


def _way_back(before: Sequence[dict[int, int]], x: int, y: int) -> list[Pair]:
    pairs: list[Pair] = []
    for changes in range(len(before) - 1, -1, -1):
        start, came_from = _step(before[changes], x - y, changes)
        while x > start:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x = before[changes][came_from]
        y = x - came_from
    return pairs[::-1]


# ---- many changes ----------------------------------------------------------------------------------------------------


class _Link:
    """One pair of the longest sequence that ends with it."""

    __slots__ = ("before", "pair")

    def __init__(self, pair: Pair, before: _Link | None) -> None:
        self.pair, self.before = pair, before


def _longest(a: Sequence[int], b: Sequence[int]) -> list[Pair]:
    """Source: Hunt and Szymanski, "A fast algorithm for computing longest common subsequences" (1977)."""
    ends: list[int] = []
    links: list[_Link] = []
    for left, rights in enumerate(_candidates(a, b)):
        for right in reversed(rights):  # the last first: none may follow on another one of the same item
            length = bisect_left(ends, right)
            link = _Link((left, right), links[length - 1] if length else None)
            ends[length : length + 1], links[length : length + 1] = [right], [link]
    return _chain(links[-1]) if links else []


def _chain(last: _Link) -> list[Pair]:
    found: list[Pair] = []
    link: _Link | None = last
    while link is not None:
        found.append(link.pair)
        link = link.before
    return found[::-1]


def _candidates(a: Sequence[int], b: Sequence[int]) -> Iterator[Sequence[int]]:
    """For each item of `a` the indexes in `b` at which it may stand, rising."""
    places: dict[int, list[int]] = {}
    for index, item in enumerate(b):
        places.setdefault(item, []).append(index)
    reach = max(1, min(REACH_MAX, PAIRS_MAX // (2 * len(a) + 1)))
    seen: dict[int, int] = {}
    for item in a:
        number = seen[item] = seen.get(item, -1) + 1
        yield places.get(item, [])[max(0, number - reach) : number + reach + 1]
