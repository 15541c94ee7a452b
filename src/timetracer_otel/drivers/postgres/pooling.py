"""A pool is asked for a connection: how it stood then, how long that took, and what came of it."""

from __future__ import annotations

import time

from timetracer_otel.capture.table import tape
from timetracer_otel.cassette.model import Acquire


class Asking:
    """From the question until there is an answer. Not a dataclass: one is made for each use of a connection."""

    __slots__ = ("at_ns", "began_ns", "driver", "idle", "is_heard", "max_size", "name", "size", "waiting")

    def __init__(self, driver: str, name: str, size: int, max_size: int, idle: int, waiting: int) -> None:
        self.driver, self.name = driver, name
        self.size, self.max_size, self.idle, self.waiting = size, max_size, idle, waiting
        self.is_heard = True
        """False for one that waits like others, and that nobody records."""
        self.at_ns, self.began_ns = time.time_ns(), time.perf_counter_ns()

    def end(self, connection: int | None, error: BaseException | None = None) -> None:
        """The pool has given the connection of this number, or has raised."""
        active = tape()
        if active is None:
            return
        acquire = Acquire(
            driver=self.driver,
            pool=self.name,
            at_ns=self.at_ns,
            wait_ns=time.perf_counter_ns() - self.began_ns,
            size=self.size,
            max_size=self.max_size,
            idle=self.idle,
            waiting=self.waiting,
            connection=connection,
            error=None if error is None else type(error).__name__,
        )
        active.acquired(acquire)
