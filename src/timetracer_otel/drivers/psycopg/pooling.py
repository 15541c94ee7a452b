"""psycopg_pool: each wait for a connection. The package is of its own and may come late, or never."""

from __future__ import annotations

import functools
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.postgres import alchemy
from timetracer_otel.drivers.postgres.pooling import Asking, Function, acquiring
from timetracer_otel.drivers.psycopg.introduction import known
from timetracer_otel.drivers.psycopg.tracking import LIBRARY

PACKAGE: Final = "psycopg_pool"

# Pools and connections have no types here: psycopg_pool may not be installed.


def asking(pool: Any) -> Asking | None:
    active = tape()
    if active is None or not active.listens():
        return None
    stats = pool.get_stats()
    waiting = stats.get("requests_waiting", 0)
    return Asking(LIBRARY, str(pool.name), stats["pool_size"], stats["pool_max"], stats["pool_available"], waiting)


def given(begun: Asking, connection: Any) -> None:
    begun.end(number_of(connection))


def number_of(connection: Any) -> int | None:
    active = tape()
    return None if active is None else known(connection.pgconn, active).number


def refused(begun: Asking, error: BaseException) -> None:
    begun.end(None, error)


class PoolTaps:
    """Go in when psycopg_pool is imported, now or later."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._is_wanted = False

    def install(self) -> None:
        from wrapt import register_post_import_hook

        self._is_wanted = True
        alchemy.install(LIBRARY, number_of)
        register_post_import_hook(guarded(LIBRARY)(self._put_in), PACKAGE)  # at once if it is imported already

    def uninstall(self) -> None:
        self._is_wanted = False
        alchemy.uninstall(LIBRARY)
        self._patches.undo()

    def _put_in(self, package: Any) -> None:
        if not self._is_wanted or self._patches:
            return
        acquiring_sync = acquiring(LIBRARY, asking, given, refused)
        for pool, wrap in ((package.ConnectionPool, acquiring_sync), (package.AsyncConnectionPool, _acquiring_async)):
            self._patches.put(pool, "getconn", wrap(vars(pool)["getconn"]))


def _acquiring_async(original: Function) -> Function:
    guard = guarded(LIBRARY)
    ask, give, refuse = guard(asking), guard(given), guard(refused)

    @functools.wraps(original)
    async def getconn(self: Any, *args: Any, **kwargs: Any) -> Any:
        begun = ask(self)
        if begun is None:
            return await original(self, *args, **kwargs)
        try:
            connection = await original(self, *args, **kwargs)
        except BaseException as error:
            refuse(begun, error)
            raise
        give(begun, connection)
        return connection

    return getconn
