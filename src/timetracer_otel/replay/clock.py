"""The recording's wall clock, ticking. Monotonic clocks, event loops and timeouts stay real."""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import sys
import threading
import time
from typing import Any, Protocol

from timetracer_otel.replay.instants import SECOND_NS, Grain
from timetracer_otel.replay.origin import SLACK_NS, Window, window
from timetracer_otel.replay.reads import Reads


class Clock(Protocol):
    def start_entry(self) -> None:
        """The entry begins: it is the moment at which the recorded one began."""

    def advance(self, until_ns: int) -> None:
        """Not before this moment: the end of a recorded answer. Never back."""

    def set_back(self, by_ns: int) -> None:
        """So long somebody was debugging: no time passed for the app."""

    def stop(self) -> None:
        """The real clock again."""

    def window(self) -> Window:
        """In which an instant taken in replay must lie to be one of this clock's."""

    def has_read(self, instant_ns: int, grain: Grain) -> bool:
        """True if this instant is whole seconds away from a moment that the app has read from this clock."""


class RecordedClock:
    """One per process: time-machine patches the clock of all threads."""

    def __init__(self, process_ns: int, start_ns: int, end_ns: int) -> None:
        """Wall-clock nanoseconds: when the recorded process began (0: there is no start-up to replay), when the segment
        began and ended."""
        import time_machine

        self._start_ns, self._window = start_ns, window(start_ns, end_ns)
        self._lock = threading.Lock()
        first_ns = min(process_ns, start_ns) if process_ns > 0 else start_ns
        self._travel = time_machine.travel(first_ns / SECOND_NS, tick=True)
        self._traveller: Any = self._travel.start()
        self._reads = Reads()
        self._listen()

    def _listen(self) -> None:
        served, note = self._traveller.time_ns, self._reads.note

        def time_ns() -> int:
            now_ns: int = served()
            note(now_ns, sys._getframe(1))
            return now_ns

        self._traveller.time_ns = time_ns  # every way to read the clock ends here, in time-machine 2.15 as in 3

    def start_entry(self) -> None:
        # The one step that may go back: start-up took longer here than then, but the entry has its own time.
        with self._lock:
            self._shift(self._start_ns - time.time_ns())

    def advance(self, until_ns: int) -> None:
        with self._lock:
            if (lag_ns := until_ns - time.time_ns()) > 0:
                self._shift(lag_ns)

    def set_back(self, by_ns: int) -> None:
        with self._lock:
            self._shift(-by_ns)

    def _shift(self, by_ns: int) -> None:
        # One addition inside time-machine, where `move_to` is several steps that another thread could read between.
        self._traveller.shift(datetime.timedelta(microseconds=-(-by_ns // 1000)))

    def window(self) -> Window:
        """That of the recording; it grows while the process is slower, as under a debugger."""
        return self._window[0], max(self._window[1], time.time_ns() + SLACK_NS)

    def has_read(self, instant_ns: int, grain: Grain) -> bool:
        return self._reads.explain(instant_ns, grain)

    def stop(self) -> None:
        self._travel.stop()


class RealClock:
    """Without time-machine: the app sees today, and instants of today are what it may ask with."""

    def __init__(self) -> None:
        self._start_ns = time.time_ns()

    def start_entry(self) -> None:
        """Nothing to set."""

    def advance(self, until_ns: int) -> None:
        """Nothing to move."""

    def set_back(self, by_ns: int) -> None:
        """It is not ours to set."""

    def stop(self) -> None:
        """It was never another."""

    def window(self) -> Window:
        return window(self._start_ns, time.time_ns())

    def has_read(self, instant_ns: int, grain: Grain) -> bool:
        """Nobody listens to it, and what was reckoned from it is of another day."""
        return False


def load_without_pytest() -> None:
    """time-machine brings a fixture where there is pytest, whose import takes longer than all the rest of a replay."""
    if "pytest" in sys.modules:
        return
    sys.modules["pytest"] = None  # type: ignore[assignment]  # how Python itself marks what is not to be imported
    try:
        importlib.import_module("time_machine")
    finally:
        del sys.modules["pytest"]


def is_available() -> bool:
    """True when time-machine is installed (extra `replay`)."""
    return importlib.util.find_spec("time_machine") is not None
