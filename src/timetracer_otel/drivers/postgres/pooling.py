"""A pool is asked for a connection: how it stood then, how long that took, and what came of it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.cassette.model import Acquire

Function: TypeAlias = Callable[..., Any]
"""Of a pool: its types differ from library to library."""
MESSAGE_MAX: Final = 500
"""Characters of an exception's text that are kept."""


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
            message="" if error is None else str(error)[:MESSAGE_MAX],
        )
        active.acquired(acquire)


def acquiring(library: str, asking: Function, given: Function, refused: Function) -> Callable[[Function], Function]:
    """Around a method that gives a connection of a pool; `asking` gives None where nothing is noted."""
    guard = guarded(library)
    ask, give, refuse = guard(asking), guard(given), guard(refused)

    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        def acquire(self: Any, *args: Any, **kwargs: Any) -> Any:
            begun = ask(self)
            if begun is None:
                return original(self, *args, **kwargs)
            try:
                connection = original(self, *args, **kwargs)
            except BaseException as error:
                refuse(begun, error)
                raise
            give(begun, connection)
            return connection

        return acquire

    return wrap
