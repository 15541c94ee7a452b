"""What the application read from the served clock: the proof that a value was reckoned from it."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from itertools import chain, count
from types import FrameType
from typing import Final, Literal, TypeAlias

from timetracer_otel.replay.instants import SECOND_NS, US_NS, Grain

READS_MAX: Final = 4096
"""The latest that are remembered: the more there are, the less each of them proves."""
OTHERS: Final = frozenset({"opentelemetry", "timetracer_otel", "logging"})
"""Packages whose reading goes into no value of the application."""

Reading: TypeAlias = Literal["", "itself", "seconds away"]
"""What an instant is to the nearest reading that explains it; empty where none does."""


class Reads:
    """Without a lock: the clock is read from everywhere, even while memory is tidied up, and each step here is one."""

    def __init__(self) -> None:
        self._latest: deque[int] = deque(maxlen=READS_MAX)
        self._numbers = count()
        self._last = -1
        self._sorted: tuple[int, list[int], list[int]] = (-1, [], [])
        """The number of the latest among them, all of them, and their fractions of a second."""

    def note(self, ns: int, reader: FrameType | None) -> None:
        """`reader` is the frame that asked time-machine, or one of its own."""
        if _package(reader) not in OTHERS:
            self._latest.append(ns)
            self._last = next(self._numbers)

    def explain(self, instant_ns: int, grain: Grain) -> Reading:
        """Whether one of them is this instant, or a whole number of seconds away from it; told to this precision: cut
        off or rounded, and as a float a little beside it."""
        last, readings, fractions = self._sorted
        if self._last != last:
            last, readings = self._last, sorted(self._latest.copy())
            fractions = sorted(ns % SECOND_NS for ns in readings)
            self._sorted = last, readings, fractions
        first, width = instant_ns - grain // 2 - US_NS, grain + grain // 2 + 2 * US_NS
        place = bisect_left(readings, first)
        if any(each - first < width for each in readings[place : place + 1]):
            return "itself"
        first %= SECOND_NS
        place = bisect_left(fractions, first)
        following = chain(fractions[place : place + 1], (each + SECOND_NS for each in fractions[:1]))
        return "seconds away" if any(each - first < width for each in following) else ""


def _package(frame: FrameType | None) -> str:
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package != "time_machine":
            return package
        frame = frame.f_back
    return ""
