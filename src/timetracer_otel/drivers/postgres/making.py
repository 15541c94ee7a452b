"""Known while a replay's pool makes a connection: what the application asks of it then (`init` of asyncpg's pool,
`configure` of psycopg's, a `connect` event of SQLAlchemy) makes it ready, and is no step of the request in which that
happens to be."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

from wrapt import register_post_import_hook

from timetracer_otel.drivers.patches import Patches

SQLALCHEMY: Final = "sqlalchemy.pool.base"
RECORD, CONNECT = "_ConnectionRecord", "_ConnectionRecord__connect"
"""Source: SQLAlchemy 2.0 and 2.1, `pool/base.py`; its asyncio side goes through it too, in a greenlet that shares the
context of its task."""
PSYCOPG_POOL: Final = "psycopg_pool"
POOLS: Final = ("ConnectionPool", "AsyncConnectionPool")
POOL_CONNECTS: Final = "_connect"
"""Source: psycopg_pool 3.1 to 3.3, `pool.py` and `pool_async.py`; those without connections of their own inherit it."""

is_making: Final[ContextVar[bool]] = ContextVar("timetracer_pool_makes", default=False)


def put_in(patches: Patches) -> None:
    """Pools are followed from now on, whenever they are imported."""
    register_post_import_hook(functools.partial(_alchemy_imported, patches), SQLALCHEMY)  # at once if they are
    register_post_import_hook(functools.partial(_psycopg_pool_imported, patches), PSYCOPG_POOL)


def _psycopg_pool_imported(patches: Patches, module: Any) -> None:
    for owner, wrap in zip((getattr(module, name, None) for name in POOLS), (making, making_async), strict=True):
        if patches and owner is not None and POOL_CONNECTS in vars(owner):
            patches.put(owner, POOL_CONNECTS, wrap(vars(owner)[POOL_CONNECTS]))


def _alchemy_imported(patches: Patches, module: Any) -> None:
    owner = getattr(module, RECORD, None)
    if patches and owner is not None and CONNECT in vars(owner):  # else the driver is not led to a stub any more
        patches.put(owner, CONNECT, making(vars(owner)[CONNECT]))


def making(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def make(*args: Any, **kwargs: Any) -> Any:
        token = is_making.set(True)
        try:
            return original(*args, **kwargs)
        finally:
            is_making.reset(token)

    return make


def making_async(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def make(*args: Any, **kwargs: Any) -> Any:
        token = is_making.set(True)
        try:
            return await original(*args, **kwargs)
        finally:
            is_making.reset(token)

    return make
