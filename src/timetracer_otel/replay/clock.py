"""The recording's wall clock, ticking. Monotonic clocks, event loops and timeouts stay real."""

from __future__ import annotations

import datetime
import importlib
import importlib.metadata
import importlib.util
import sys
import threading
import time
from typing import Any, Final, NamedTuple, Protocol

from timetracer_otel.replay.instants import SECOND_NS, SLACK_NS, Grain, Window, window
from timetracer_otel.replay.reads import Reading, Reads

LATE_NS: Final = SECOND_NS
"""So much longer than in the recording something may take, and the clock waits for it."""
NEVER_NS: Final = 2**62
NEWER_THAN_MONOTONIC: Final = 3
"""The first release of time-machine that leaves `time.monotonic` as it is."""
ADVICE: Final = "pip install 'timetracer-otel[replay]'"
SLOWLY: Final = 16
"""While it waits it goes at this part of its speed: between two readings no time is none at all."""


class Clock(Protocol):
    def start_entry(self) -> None:
        """The entry begins: it is the moment at which the recorded one began."""

    def advance(self, until_ns: int, next_ns: int) -> None:
        """Not before this moment: the end of a recorded answer. Never back. At `next_ns` the recorded app asked on."""

    def set_back(self, by_ns: int) -> None:
        """So long somebody was debugging: no time passed for the app."""

    def stop(self) -> None:
        """The real clock again."""

    def window(self) -> Window:
        """In which an instant taken in replay must lie to be one of this clock's."""

    def start_up(self) -> Window:
        """As `window`, before the entry."""

    def reading_of(self, instant_ns: int, grain: Grain) -> Reading:
        """Whether this instant is a moment that the app has read from this clock, or whole seconds away from one."""


class Stretch(NamedTuple):
    """From one point at which the recorded time is known to the next."""

    start_ns: int
    """On the wall clock of the recording."""
    since_ns: int
    """When it began here, on the monotonic clock."""
    length_ns: int
    """What it took in the recording."""
    patience_ns: int
    """For how much more the clock waits."""

    def now_ns(self) -> int:
        """The first run of a program is slower than the recorded one: what it does late it does at the time of then."""
        passed = time.monotonic_ns() - self.since_ns
        waited = min(max(0, passed - self.length_ns), self.patience_ns)
        return self.start_ns + passed - waited + waited // SLOWLY


class RecordedClock:
    """One per process: time-machine patches the clock of all threads."""

    def __init__(self, process_ns: int, start_ns: int, end_ns: int, first_ns: int) -> None:
        """Wall-clock nanoseconds: when the recorded process began (0: there is no start-up to replay), when the segment
        began and ended, when it asked for something first."""
        import time_machine

        self._start_ns, self._window = start_ns, window(start_ns, end_ns)
        self._start_up = window(process_ns or start_ns, start_ns)
        self._first_ns = first_ns
        self._lock = threading.Lock()
        self._reads = Reads()
        self._is_starting = 0 < process_ns < start_ns
        self._stretch = self._from(process_ns if self._is_starting else start_ns, first_ns)
        self._travel = time_machine.travel(self._stretch.start_ns / SECOND_NS, tick=True)
        self._traveller: Any = self._travel.start()
        # Every way to read the clock ends there. Source: time-machine 3, `Coordinates`.
        vars(self._traveller)["time_ns"] = self._served

    def _served(self) -> int:
        now_ns = self._stretch.now_ns()
        self._reads.note(now_ns, sys._getframe(1))
        return now_ns

    def _from(self, start_ns: int, next_ns: int) -> Stretch:
        """A start-up may take as long as it likes: it was over when the entry began."""
        ends_ns, patience_ns = (self._start_ns, NEVER_NS) if self._is_starting else (next_ns, LATE_NS)
        return Stretch(start_ns, time.monotonic_ns(), max(0, ends_ns - start_ns), patience_ns)

    def start_entry(self) -> None:
        # The one step that may go back: start-up took longer here than then, but the entry has its own time.
        with self._lock:
            back_ns = self._stretch.now_ns() - self._start_ns
            self._is_starting = False
            self._stretch = self._from(self._start_ns, self._first_ns)
            if back_ns > 0:  # ids that are made of the time begin anew
                self._traveller.shift(datetime.timedelta(microseconds=-(back_ns // 1000) - 1))

    def advance(self, until_ns: int, next_ns: int) -> None:
        with self._lock:
            self._stretch = self._from(max(until_ns, self._stretch.now_ns()), next_ns)

    def set_back(self, by_ns: int) -> None:
        with self._lock:
            self._stretch = self._stretch._replace(since_ns=self._stretch.since_ns + by_ns)

    def window(self) -> Window:
        """That of the recording; it grows while the process is slower, as under a debugger."""
        return self._window[0], max(self._window[1], self._stretch.now_ns() + SLACK_NS)

    def start_up(self) -> Window:
        """Once the entry has begun, all until it ended: who asks beside it does so at its time."""
        now_ns = self._stretch.now_ns()
        return self._start_up[0], now_ns + SLACK_NS if self._is_starting else self.window()[1]

    def reading_of(self, instant_ns: int, grain: Grain) -> Reading:
        return self._reads.explain(instant_ns, grain)

    def stop(self) -> None:
        self._travel.stop()


class RealClock:
    """Without time-machine: the app sees today, and instants of today are what it may ask with."""

    def __init__(self) -> None:
        self._start_ns = time.time_ns()

    def start_entry(self) -> None:
        """Nothing to set."""

    def advance(self, until_ns: int, next_ns: int) -> None:
        """Nothing to move."""

    def set_back(self, by_ns: int) -> None:
        """It is not ours to set."""

    def stop(self) -> None:
        """It was never another."""

    def window(self) -> Window:
        return window(self._start_ns, time.time_ns())

    def start_up(self) -> Window:
        return self.window()

    def reading_of(self, instant_ns: int, grain: Grain) -> Reading:
        """Nobody listens to it, and what was reckoned from it is of another day."""
        return ""


def load_without_pytest() -> None:
    """time-machine brings a fixture where there is pytest, whose import takes longer than all the rest of a replay."""
    if "pytest" in sys.modules:
        return
    sys.modules["pytest"] = None  # type: ignore[assignment]  # how Python itself marks what is not to be imported
    try:
        importlib.import_module("time_machine")
    finally:
        del sys.modules["pytest"]


def why_real() -> str | None:
    """What keeps the clock from being the recorded one; None when time-machine is installed (extra `replay`)."""
    if importlib.util.find_spec("time_machine") is None:
        return f"clock: time-machine is not installed ({ADVICE})"
    found = importlib.metadata.version("time-machine")
    if int(found.partition(".")[0]) < NEWER_THAN_MONOTONIC:
        return f"clock: time-machine {found} sets monotonic clocks too, by which event loops and we count ({ADVICE})"
    return None
