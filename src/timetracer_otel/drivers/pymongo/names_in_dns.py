"""`mongodb+srv://` without a DNS: who parses such an address (mongoengine does) finds the one host that it names.

Clients never ask: their address is rewritten before (`redirect`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from timetracer_otel.drivers.patches import Patches

RESOLVERS: Final = ("pymongo.srv_resolver", "pymongo.synchronous.srv_resolver", "pymongo.asynchronous.srv_resolver")
"""The first before pymongo 4.12."""
PORT: Final = 27017


def put_in(patches: Patches) -> None:
    """No resolver of the driver asks a name server from now on."""
    for name in RESOLVERS:
        try:
            resolver = import_module(name)._SrvResolver
        except (ImportError, AttributeError):
            continue
        is_async = name.startswith("pymongo.asynchronous")
        for method, answer in (("get_hosts", _hosts), ("get_options", _nothing)):
            if method in vars(resolver):
                original = vars(resolver)[method]
                patches.put(resolver, method, (_async_answering if is_async else _answering)(original, answer))


def _hosts(resolver: Any) -> list[tuple[str, int]]:
    return [(str(getattr(resolver, "_SrvResolver__fqdn", "localhost")), PORT)]


def _nothing(_: Any) -> None:
    """Options of a TXT record are production's."""


def _answering(original: Callable[..., Any], answer: Callable[[Any], Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def answering(self: Any) -> Any:
        return answer(self)

    return answering


def _async_answering(original: Callable[..., Any], answer: Callable[[Any], Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def answering(self: Any) -> Any:
        return answer(self)

    return answering
