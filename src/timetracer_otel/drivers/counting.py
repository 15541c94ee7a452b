"""Which call of its kind one is: a failure that leaves no request behind is known by that alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Final, NamedTuple

SEGMENTS_MAX: Final = 1000
PLACES_MAX: Final = 100
"""Of one segment that are told apart."""


class Number(NamedTuple):
    """Counted from 0 in one segment. A tuple, since one is made for each command of MongoDB."""

    call: int
    same: int
    """Among those to the same place."""


class Counter:
    """Counts the calls of one segment."""

    def __init__(self) -> None:
        self._calls = 0
        self._places: dict[Hashable, int] = {}

    def next(self, place: Hashable) -> Number:
        call, same = self._calls, self._places.get(place, 0)
        self._calls = call + 1
        if same or len(self._places) < PLACES_MAX:
            self._places[place] = same + 1
        return Number(call, same)


class Counters:
    """Counts the calls of one driver, segment by segment."""

    def __init__(self) -> None:
        self._segments: OrderedDict[int, Counter] = OrderedDict()

    def next(self, segment: int, place: Hashable) -> Number:
        """Of a call that is made now; `segment` as `Tape.segment` gives it."""
        counter = self._segments.get(segment)
        if counter is None:
            counter = self._segments.setdefault(segment, Counter())
            if len(self._segments) > SEGMENTS_MAX:
                self._segments.popitem(last=False)
        else:
            with suppress(KeyError):  # another thread has let it go meanwhile
                self._segments.move_to_end(segment)
        return counter.next(place)
