"""A pool that was full when it was recorded, and gave no connection in time. A replay's pool has nobody else in it, so
that what it raised then is raised again: at the same attempt, and at once, unless the request itself fills it now.

Seams: psycopg_pool 3.2 and 3.3 (`ConnectionPool.getconn`, `AsyncConnectionPool.getconn`), asyncpg 0.29 and newer
(`Pool._acquire`), SQLAlchemy 2.0 and 2.1 (`Pool.connect`).
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from wrapt import register_post_import_hook

from timetracer_otel.cassette.model import Acquire
from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.drivers.patches import Patches

PSYCOPG_POOL: Final = "psycopg_pool"
SQLALCHEMY: Final = "sqlalchemy"
SQLALCHEMY_POOL: Final = "sqlalchemy.pool"
CANCELLED: Final = "CancelledError"
"""The application's own limit ended the wait, and ends it again."""
PATIENCE_S: Final = 5.0
"""How much longer than recorded it may take to do so."""

Refuse: TypeAlias = "Callable[[Any], Acquire | None]"
"""Of a pool, which has no type here: the library may not be installed."""
IsFull: TypeAlias = "Callable[[Any], bool]"
Sleep: TypeAlias = "Callable[[Any, float], None]"
Errors: TypeAlias = "Mapping[str, type[BaseException]]"
"""By the name that is recorded."""
_followed: Final[dict[tuple[str, str], Callable[[Any], None]]] = {}
"""By module and driver: what is to be done when the module is imported."""


def of_psycopg(patches: Patches, host: ReplayHost, driver: str) -> None:
    """psycopg_pool's, whenever it is imported."""

    def refuse(pool: Any) -> Acquire | None:
        return host.current()[0].refusal(driver, str(pool.name))

    def is_full(pool: Any) -> bool:
        stats = pool.get_stats()
        return bool(stats["pool_size"] >= stats["pool_max"] and not stats["pool_available"])

    def imported(package: Any) -> None:
        if not patches:  # the driver is not led to a stub any more
            return
        errors: Errors = {each.__name__: each for each in (package.PoolTimeout, package.TooManyRequests)}
        for owner, wrap in ((package.ConnectionPool, refusing), (package.AsyncConnectionPool, refusing_async)):
            patches.put(owner, "getconn", wrap(vars(owner)["getconn"], refuse, errors, is_full))

    _whenever(PSYCOPG_POOL, driver, imported)


def of_asyncpg(patches: Patches, host: ReplayHost, driver: str, pool: Any) -> None:
    """asyncpg's; `pool` is the class."""
    errors: Errors = {"TimeoutError": asyncio.TimeoutError}
    refuse: Refuse = lambda _: host.current()[0].refusal(driver, "")  # noqa: E731  it has no name
    is_full: IsFull = lambda each: each.get_size() >= each.get_max_size() and not each.get_idle_size()  # noqa: E731
    patches.put(pool, "_acquire", refusing_async(vars(pool)["_acquire"], refuse, errors, is_full))


def of_sqlalchemy(patches: Patches, host: ReplayHost, driver: str) -> None:
    """Those of SQLAlchemy that are over the driver, whenever it is imported."""

    def refuse(pool: Any) -> Acquire | None:
        is_its = pool._dialect.driver == driver and hasattr(pool, "checkedin")
        return host.current()[0].refusal(driver, SQLALCHEMY) if is_its else None

    def is_full(pool: Any) -> bool:
        return bool(0 <= pool._max_overflow <= pool.overflow() and not pool.checkedin())

    def sleep(pool: Any, for_s: float) -> None:
        if not pool._dialect.is_async:
            return time.sleep(for_s)
        from sqlalchemy.util import await_only

        await_only(asyncio.sleep(for_s))

    def imported(module: Any) -> None:
        if patches:
            from sqlalchemy.exc import TimeoutError as OutOfTime

            original, errors = vars(module.Pool)["connect"], {OutOfTime.__name__: OutOfTime}
            patches.put(module.Pool, "connect", refusing(original, refuse, errors, is_full, sleep))

    _whenever(SQLALCHEMY_POOL, driver, imported)


def _whenever(module: str, driver: str, put_in: Callable[[Any], None]) -> None:
    """To the module, now or when it is imported: by the last that asked for it, since a hook cannot be taken back."""
    is_followed = (module, driver) in _followed
    _followed[module, driver] = put_in
    if module in sys.modules:
        put_in(sys.modules[module])
    elif not is_followed:
        register_post_import_hook(functools.partial(_imported, driver), module)


def _imported(driver: str, module: Any) -> None:
    _followed[module.__name__, driver](module)


def _wait_s(found: Acquire, is_full: bool) -> float:
    """As long as then where the request's own work has the connections now: it goes on meanwhile."""
    if found.error == CANCELLED:
        return found.wait_ns / 1e9 + PATIENCE_S
    return found.wait_ns / 1e9 if is_full else 0


def refusing(
    original: Callable[..., Any],
    refuse: Refuse,
    errors: Errors,
    is_full: IsFull,
    sleep: Sleep = lambda _, for_s: time.sleep(for_s),
) -> Callable[..., Any]:
    @functools.wraps(original)
    def acquire(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (found := refuse(self)) is not None and found.error in (*errors, CANCELLED):
            sleep(self, _wait_s(found, is_full(self)))
            if found.error in errors:
                raise errors[found.error](found.message)
        return original(self, *args, **kwargs)

    return acquire


def refusing_async(
    original: Callable[..., Awaitable[Any]], refuse: Refuse, errors: Errors, is_full: IsFull
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def acquire(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (found := refuse(self)) is not None and found.error in (*errors, CANCELLED):
            await asyncio.sleep(_wait_s(found, is_full(self)))
            if found.error in errors:
                raise errors[found.error](*filter(None, [found.message]))
        return await original(self, *args, **kwargs)

    return acquire
