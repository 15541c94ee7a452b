"""A pool that was full when it was recorded, and gave no connection in time. A replay's pool has nobody else in it, so
that what it raised then is raised again: at the same attempt, and after the same time.

Seams: psycopg_pool 3.2 and 3.3 (`ConnectionPool.getconn`, `AsyncConnectionPool.getconn`), asyncpg 0.29 and newer
(`Pool._acquire`), SQLAlchemy 2.0 and 2.1 (`Pool.connect`).
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from collections.abc import Awaitable, Callable
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
NS: Final = 1_000_000_000
PATIENCE_S: Final = 5.0
"""How much longer than recorded it may take to do so."""

Refuse: TypeAlias = "Callable[[Any], Acquire | None]"
"""Of a pool, which has no type here: the library may not be installed."""
Errors: TypeAlias = "dict[str, type[BaseException]]"
"""By the name that is recorded."""
_followed: Final[dict[tuple[str, str], Callable[[Any], None]]] = {}
"""By module and driver: what is to be done when the module is imported."""


def of_psycopg(patches: Patches, host: ReplayHost, driver: str) -> None:
    """psycopg_pool's, whenever it is imported."""

    def refuse(pool: Any) -> Acquire | None:
        return host.current()[0].refusal(driver, str(pool.name))

    def imported(package: Any) -> None:
        if not patches:  # the driver is not led to a stub any more
            return
        errors: Errors = {each.__name__: each for each in (package.PoolTimeout, package.TooManyRequests)}
        for owner, wrap in ((package.ConnectionPool, refusing), (package.AsyncConnectionPool, refusing_async)):
            patches.put(owner, "getconn", wrap(vars(owner)["getconn"], refuse, errors))

    _whenever(PSYCOPG_POOL, driver, imported)


def of_asyncpg(patches: Patches, host: ReplayHost, driver: str, pool: Any) -> None:
    """asyncpg's; `pool` is the class."""
    errors: Errors = {"TimeoutError": asyncio.TimeoutError}
    refuse: Refuse = lambda _: host.current()[0].refusal(driver, "")  # noqa: E731  it has no name
    patches.put(pool, "_acquire", refusing_async(vars(pool)["_acquire"], refuse, errors))


def of_sqlalchemy(patches: Patches, host: ReplayHost, driver: str) -> None:
    """Those of SQLAlchemy that are over the driver, whenever it is imported."""

    def refuse(pool: Any) -> Acquire | None:
        is_its = pool._dialect.driver == driver and hasattr(pool, "checkedin")
        return host.current()[0].refusal(driver, SQLALCHEMY) if is_its else None

    def imported(module: Any) -> None:
        if patches:
            from sqlalchemy.exc import TimeoutError as OutOfTime

            original = vars(module.Pool)["connect"]
            patches.put(module.Pool, "connect", refusing(original, refuse, {OutOfTime.__name__: OutOfTime}))

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


def refusing(original: Callable[..., Any], refuse: Refuse, errors: Errors) -> Callable[..., Any]:
    @functools.wraps(original)
    def acquire(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (found := refuse(self)) is not None and found.error in errors:
            time.sleep(found.wait_ns / NS)
            raise errors[found.error](found.message)
        return original(self, *args, **kwargs)

    return acquire


def refusing_async(
    original: Callable[..., Awaitable[Any]], refuse: Refuse, errors: Errors
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def acquire(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = refuse(self)
        if found is not None and found.error in errors:
            await asyncio.sleep(found.wait_ns / NS)
            raise errors[found.error](*filter(None, [found.message]))
        if found is not None and found.error == CANCELLED:
            await asyncio.sleep(found.wait_ns / NS + PATIENCE_S)
        return await original(self, *args, **kwargs)

    return acquire
