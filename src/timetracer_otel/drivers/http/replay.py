"""HTTP clients in replay: everything above the socket is real, and each request is answered from the cassette."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question, ReplayHost
from timetracer_otel.drivers.http import aiohttp_stub, core_stub, questions, requests_stub, socket_stub
from timetracer_otel.drivers.http.clients import Clients, PutIn
from timetracer_otel.drivers.patches import Patches

Install = Callable[[Patches, Any, ReplayHost], None]


class HttpReplaying:
    """Implements `drivers.base.Replaying`."""

    def __init__(self) -> None:
        self._host: ReplayHost | None = None
        stubs: dict[str, Install] = {
            "httpcore": core_stub.install,
            "httpcore2": core_stub.install,
            "http.client": socket_stub.install,
            "urllib3": socket_stub.install_urllib3,
            "urllib3.contrib.socks": socket_stub.install_socks,
            "requests.adapters": requests_stub.install,
            "aiohttp": aiohttp_stub.install,
        }
        self._clients = Clients({name: self._led(install) for name, install in stubs.items()})

    def _led(self, install: Install) -> PutIn:
        def put_in(patches: Patches, module: ModuleType) -> None:
            if self._host is not None:
                install(patches, module, self._host)

        return put_in

    def install(self, host: ReplayHost) -> None:
        self._host = host
        self._clients.put_in()

    def uninstall(self) -> None:
        self._clients.take_out()

    def question(self, exchange: Exchange) -> Question:
        return questions.question_of(exchange)


REPLAYING: Final = HttpReplaying()
