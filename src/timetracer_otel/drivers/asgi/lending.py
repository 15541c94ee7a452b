"""The memory that all requests may hold together: those in flight, and those that the writer has not written yet."""

from __future__ import annotations

import os
import threading
from typing import Final

from timetracer_otel.config import Settings

TAP: Final = "asgi"


class Budget:
    """Bytes that may be held together."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.held = max_bytes, 0
        # Re-entrant: the garbage collector may end a request, which gives back, while this thread holds it.
        self.lock = threading.RLock()

    def take(self, size: int) -> bool:
        """False if `size` more bytes are too many: nothing is taken then."""
        with self.lock:
            if self.held + size > self.max_bytes:
                return False
            self.held += size
        return True

    def give(self, size: int) -> None:
        with self.lock:
            self.held -= size


class Loan:
    """What one body has taken and somebody else gives back, piece by piece and in any thread; never more than that."""

    __slots__ = ("_budget", "_held")

    def __init__(self, of: Budget) -> None:
        self._budget, self._held = of, 0

    def add(self, size: int) -> None:
        """So many more have been taken."""
        with self._budget.lock:
            self._held += size

    def give(self, size: int) -> None:
        with self._budget.lock:
            size = min(size, self._held)
            self._held -= size
            self._budget.give(size)

    @property
    def is_open(self) -> bool:
        """True while something has not been given back."""
        return self._held > 0

    def settle(self) -> None:
        """Gives back what is left of it."""
        self.give(self._held)


budget = Budget(Settings().in_flight_max_bytes)


def after_fork() -> None:
    """A forked child holds nothing. What it has inherited gives back to the old budget, with a lock that is free."""
    global budget
    budget.lock = threading.RLock()
    budget = Budget(budget.max_bytes)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)
