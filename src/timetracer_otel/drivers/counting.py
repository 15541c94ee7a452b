"""Which call of its kind one is: a failure that leaves no request behind is known by that alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

SEGMENTS_MAX: Final = 1000
PLACES_MAX: Final = 100
"""Of one segment that are told apart."""


@dataclass(frozen=True, slots=True)
class Number:
    """Counted from 0 in one segment."""

    call: int
    same: int
    """Among those to the same place."""


class Counter:
    """Counts the calls of one segment."""

    def __init__(self) -> None:
        self._calls = 0
        self._places: dict[Hashable, int] = {}

    def next(self, place: Hashable) -> Number:
        number = Number(self._calls, self._places.get(place, 0))
        self._calls += 1
        if place in self._places or len(self._places) < PLACES_MAX:
            self._places[place] = number.same + 1
        return number


class Counters:
    """Counts the calls of one driver, segment by segment."""

    def __init__(self) -> None:
        self._segments: OrderedDict[int, Counter] = OrderedDict()

    def next(self, segment: int, place: Hashable) -> Number:
        """Of a call that is made now; `segment` as `Tape.segment` gives it."""
        counter = self._segments.setdefault(segment, Counter())
        self._segments.move_to_end(segment)
        if len(self._segments) > SEGMENTS_MAX:
            self._segments.popitem(last=False)
        return counter.next(place)
