"""Where the bytes of commands pass in the driver, for recording and for replay.

From pymongo 4.18 on all commands pass `Connection.send_message` and `receive_message`. Before, inserts, updates and
`command()` go through `pymongo.synchronous.network` (and `.asynchronous`), which has its own `sendall`.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from importlib import import_module
from types import ModuleType
from typing import Any, Final, TypeAlias

from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.pymongo.names import LIBRARY, connection_classes

Hook: TypeAlias = Callable[..., Any]
METHODS: Final = ("send_message", "receive_message")
SENDERS: Final = ("sendall", "async_sendall")
RECEIVERS: Final = ("receive_message", "async_receive_message")

_commanding: Final[ContextVar[Any]] = ContextVar("timetracer_pymongo_connection", default=None)
"""The connection that `network.command` works with: `sendall` is given the socket alone."""


def put_in(patches: Patches, sending: Hook, received: Hook | None, lost: str) -> None:
    """`sending(connection, message)` before bytes leave, `received(connection, request_id, reply)` after they came.

    Raises MissingNames; its last words are `lost`.
    """
    sync, asynchronous = connection_classes()
    require(LIBRARY, [(each, name) for each in (sync, asynchronous) for name in METHODS], lost, own=True)
    patches.put(sync, "send_message", _sending(sync.send_message, sending))
    patches.put(asynchronous, "send_message", _async_sending(asynchronous.send_message, sending))
    if received is not None:
        patches.put(sync, "receive_message", _receiving(sync.receive_message, received))
        patches.put(asynchronous, "receive_message", _async_receiving(asynchronous.receive_message, received))
    _put_in_older(patches, sending, received)


# ---- from 4.18 on ----------------------------------------------------------------------------------------------------


def _sending(original: Hook, sending: Hook) -> Hook:
    @functools.wraps(original)
    def send_message(self: Any, message: Any, max_doc_size: int) -> Any:
        sending(self, message)
        return original(self, message, max_doc_size)

    return send_message


def _async_sending(original: Hook, sending: Hook) -> Hook:
    @functools.wraps(original)
    async def send_message(self: Any, message: Any, max_doc_size: int) -> Any:
        sending(self, message)
        return await original(self, message, max_doc_size)

    return send_message


def _receiving(original: Hook, received: Hook) -> Hook:
    @functools.wraps(original)
    def receive_message(connection: Any, request_id: int | None, *args: Any, **kwargs: Any) -> Any:
        reply = original(connection, request_id, *args, **kwargs)
        received(connection, request_id, reply)
        return reply

    return receive_message


def _async_receiving(original: Callable[..., Awaitable[Any]], received: Hook) -> Hook:
    @functools.wraps(original)
    async def receive_message(connection: Any, request_id: int | None, *args: Any, **kwargs: Any) -> Any:
        reply = await original(connection, request_id, *args, **kwargs)
        received(connection, request_id, reply)
        return reply

    return receive_message


# ---- before ----------------------------------------------------------------------------------------------------------


def _put_in_older(patches: Patches, sending: Hook, received: Hook | None) -> None:
    for flavour in ("synchronous", "asynchronous"):
        network = _older_network(flavour)
        if network is None:
            continue
        is_sync = flavour == "synchronous"
        pool = import_module(f"pymongo.{flavour}.pool")
        patches.put(pool, "command", (_commands if is_sync else _async_commands)(vars(pool)["command"]))
        for sender in (each for each in SENDERS if each in vars(network)):
            patches.put(network, sender, (_sends if is_sync else _async_sends)(vars(network)[sender], sending))
        if received is None:
            continue
        receives = _receiving if is_sync else _async_receiving
        for receiver in (each for each in RECEIVERS if each in vars(network)):
            patches.put(network, receiver, receives(vars(network)[receiver], received))


def _older_network(flavour: str) -> ModuleType | None:
    """The module with a `command` that sends by itself; None where there is none."""
    try:
        network = import_module(f"pymongo.{flavour}.network")
    except ImportError:
        return None
    return network if "command" in vars(network) and any(each in vars(network) for each in SENDERS) else None


def _commands(original: Hook) -> Hook:
    @functools.wraps(original)
    def command(connection: Any, *args: Any, **kwargs: Any) -> Any:
        token = _commanding.set(connection)
        try:
            return original(connection, *args, **kwargs)
        finally:
            _commanding.reset(token)

    return command


def _async_commands(original: Callable[..., Awaitable[Any]]) -> Hook:
    @functools.wraps(original)
    async def command(connection: Any, *args: Any, **kwargs: Any) -> Any:
        token = _commanding.set(connection)
        try:
            return await original(connection, *args, **kwargs)
        finally:
            _commanding.reset(token)

    return command


def _sends(original: Hook, sending: Hook) -> Hook:
    @functools.wraps(original)
    def sendall(sock: Any, message: Any) -> Any:
        if (connection := _commanding.get()) is not None:
            sending(connection, message)
        return original(sock, message)

    return sendall


def _async_sends(original: Callable[..., Awaitable[Any]], sending: Hook) -> Hook:
    @functools.wraps(original)
    async def sendall(sock: Any, message: Any) -> Any:
        if (connection := _commanding.get()) is not None:
            sending(connection, message)
        return await original(sock, message)

    return sendall
