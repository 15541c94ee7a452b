"""The tap: `asyncpg.protocol.Protocol` is replaced by a subclass that listens.

Connections that were made before are not heard.
"""

from __future__ import annotations

from typing import Final

from timetracer_otel.drivers.asyncpg.names import require
from timetracer_otel.drivers.asyncpg.protocol import CALLBACKS, OPERATIONS, READ, tapped
from timetracer_otel.drivers.patches import Patches

LOST: Final = "statements are not recorded"


class AsyncpgRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self) -> None:
        if self._patches:
            return
        from asyncpg import connect_utils, protocol

        require([(protocol, "Protocol"), (connect_utils, "protocol")], LOST)
        require([(protocol.Protocol, name) for name in (*OPERATIONS, *CALLBACKS, *READ)], LOST)
        self._patches.put(protocol, "Protocol", tapped(protocol.Protocol))

    def uninstall(self) -> None:
        self._patches.undo()


RECORDING: Final = AsyncpgRecording()
