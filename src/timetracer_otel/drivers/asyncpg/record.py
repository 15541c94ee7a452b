"""The tap: `asyncpg.protocol.Protocol` is replaced by a subclass that listens.

Connections that were made before are not heard.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.asyncpg import connecting
from timetracer_otel.drivers.asyncpg.pooling import acquiring, number_of
from timetracer_otel.drivers.asyncpg.protocol import CALLBACKS, OPERATIONS, READ, tapped
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.postgres import alchemy

LOST: Final = "statements are not recorded"


class AsyncpgRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self) -> None:
        if self._patches:
            return
        from asyncpg import connect_utils, pool, protocol

        require("asyncpg", [(protocol, "Protocol"), (connect_utils, "protocol"), (connect_utils, "_connect")], LOST)
        require("asyncpg", [(protocol.Protocol, name) for name in (*OPERATIONS, *CALLBACKS, *READ)], LOST)
        self._patches.put(protocol, "Protocol", tapped(protocol.Protocol))
        self._patches.put(connect_utils, "_connect", _dialling(connect_utils._connect))
        if "_acquire" in vars(pool.Pool):  # without it statements are recorded all the same
            self._patches.put(pool.Pool, "_acquire", acquiring(pool.Pool._acquire))
        alchemy.install(LIBRARY, number_of)

    def uninstall(self) -> None:
        alchemy.uninstall(LIBRARY)
        self._patches.undo()


RECORDING: Final = AsyncpgRecording()


def _dialling(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Around the call that tries one server after the other."""
    guard = guarded(LIBRARY)
    dialling, failed = guard(connecting.dialling), guard(connecting.failed)

    @functools.wraps(original)
    async def connect(**arguments: Any) -> Any:
        call = dialling(arguments)
        try:
            return await original(**arguments)
        except BaseException as error:
            failed(call, error)
            raise

    return connect
