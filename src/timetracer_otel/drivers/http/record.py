"""The taps: each client's goes in with its import."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from timetracer_otel.capture import guard
from timetracer_otel.config import Settings
from timetracer_otel.drivers.http import aiohttp_tap, calls, core_tap, socket_tap
from timetracer_otel.drivers.http.clients import Clients, PutIn
from timetracer_otel.drivers.http.covering import MORE, SENDERS, cover
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.drivers.patches import Patches


def _or_off(install: Callable[[Patches, Any], None]) -> PutIn:
    """A client that lacks names stays without a tap, with one warning; the others have theirs."""

    def put_in(patches: Patches, module: ModuleType) -> None:
        try:
            install(patches, module)
        except MissingNames as error:
            guard.warn(str(error))

    return put_in


class HttpRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        taps: dict[str, Callable[[Patches, Any], None]] = {
            "httpcore": core_tap.install,
            "httpcore2": core_tap.install,
            "http.client": socket_tap.install,
            "urllib3": socket_tap.install_urllib3,
            "aiohttp": aiohttp_tap.install,
        }
        parts = {name: _or_off(tap) for name, tap in taps.items()}
        self._clients = Clients({**parts, **dict.fromkeys((*SENDERS, *MORE), cover)})

    def install(self) -> None:
        calls.payload_max_bytes = Settings.from_environment().payload_max_bytes
        self._clients.put_in()

    def uninstall(self) -> None:
        self._clients.take_out()


RECORDING: Final = HttpRecording()
