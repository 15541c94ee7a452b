"""asyncpg's pool: each wait for a connection."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.asyncpg import introduction
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY, Tracked
from timetracer_otel.drivers.postgres.pooling import Asking

# asyncpg has no types of its own.
Function: TypeAlias = Callable[..., Any]

_waiting: Final[dict[int, int]] = {}
"""Calls under way by the pool's `id`: asyncpg does not say how many wait. A pool belongs to one loop, so to one
thread."""


def asking(pool: Any) -> Asking | None:
    """None where nobody records it; it is one of those who wait all the same."""
    waiting = _waiting.get(id(pool), 0)
    _waiting[id(pool)] = waiting + 1
    active = tape()
    if active is None or not active.listens():
        return None
    return Asking(LIBRARY, "", pool.get_size(), pool.get_max_size(), pool.get_idle_size(), waiting)


def given(begun: Asking | None, connection: Any) -> None:
    if begun is not None:
        begun.end(number_of(connection._con))


def number_of(connection: Any) -> int:
    tracked: Tracked = connection._protocol._timetracer
    introduction.listening(tracked)
    return tracked.number


def refused(begun: Asking | None, error: BaseException) -> None:
    if begun is not None:
        begun.end(None, error)


def ended(pool: Any) -> None:
    waiting = _waiting.pop(id(pool), 1) - 1
    if waiting > 0:
        _waiting[id(pool)] = waiting


def acquiring(original: Function) -> Function:
    """Around `Pool._acquire`, which `acquire()` and the pool's own `fetch`, `execute` ... end in."""
    guard = guarded(LIBRARY)
    ask, give, refuse, end = guard(asking), guard(given), guard(refused), guard(ended)

    @functools.wraps(original)
    async def _acquire(self: Any, *args: Any, **kwargs: Any) -> Any:
        begun = ask(self)
        try:
            connection = await original(self, *args, **kwargs)
        except BaseException as error:
            refuse(begun, error)
            raise
        finally:
            end(self)
        give(begun, connection)
        return connection

    return _acquire
