"""The tap in aiohttp: what its writer writes and its protocol receives."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.http import calls
from timetracer_otel.drivers.http.calls import Call, Origin
from timetracer_otel.drivers.http.errors import chain_of
from timetracer_otel.drivers.http.names import LIBRARY, PORTS
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "requests of aiohttp are not recorded"
CALL_OF: Final = "_timetracer_call"
"""Of a protocol: the call that it carries, with the timer that limits it."""


class Carried:
    """`is_inside`: the protocol calls itself for what is left of its data."""

    __slots__ = ("call", "is_inside", "timer")

    def __init__(self, call: Call, timer: Any) -> None:
        self.call, self.timer, self.is_inside = call, timer, False


def install(patches: Patches, aiohttp: Any) -> None:
    """`aiohttp`: the module. Raises MissingNames."""
    from aiohttp import client_proto, client_reqrep, connector, http_writer, streams

    handler, writer = client_proto.ResponseHandler, http_writer.StreamWriter
    needed = [(client_reqrep.ClientRequest, "send"), (connector.TCPConnector, "_create_connection")]
    needed.append((streams.StreamReader, "_wait"))
    needed += [(writer, "_write"), (handler, "data_received"), (handler, "set_exception"), (handler, "connection_lost")]
    require("aiohttp", needed, LOST)
    put = patches.put
    put(client_reqrep.ClientRequest, "send", _sending(client_reqrep.ClientRequest.send))
    put(writer, "_write", _writing(writer._write))
    if "_writelines" in vars(writer):
        put(writer, "_writelines", _writing_lines(writer._writelines))
    put(handler, "data_received", _receiving(handler.data_received))
    put(handler, "set_exception", _failing(handler.set_exception))
    put(handler, "connection_lost", _losing(handler.connection_lost))
    put(streams.StreamReader, "_wait", _waiting(streams.StreamReader._wait))
    create = connector.TCPConnector._create_connection
    put(connector.TCPConnector, "_create_connection", _connecting(create))


def _sending(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def send(self: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
        _begin(self, conn.protocol)
        return await original(self, conn, *args, **kwargs)

    return send


def _writing(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _write(self: Any, chunk: Any) -> Any:
        result = original(self, chunk)
        _wrote(self._protocol, chunk)
        return result

    return _write


def _writing_lines(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _writelines(self: Any, chunks: Any) -> Any:
        chunks = tuple(chunks)
        result = original(self, chunks)
        for chunk in chunks:
            _wrote(self._protocol, chunk)
        return result

    return _writelines


def _receiving(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def data_received(self: Any, data: bytes) -> Any:
        is_outermost = _received(self, data)
        try:
            return original(self, data)
        finally:
            if is_outermost:
                _leave(self)

    return data_received


def _failing(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def set_exception(self: Any, exc: Any, *args: Any, **kwargs: Any) -> Any:
        _failed(self, exc)
        return original(self, exc, *args, **kwargs)

    return set_exception


def _losing(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def connection_lost(self: Any, exc: Any) -> Any:
        _lost(self, exc)
        return original(self, exc)

    return connection_lost


def _waiting(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def _wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, *args, **kwargs)
        except asyncio.CancelledError:
            _given_up(self)
            raise

    return _wait


def _connecting(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def _create_connection(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, req, *args, **kwargs)
        except BaseException as error:
            _not_connected(req, error)
            raise

    return _create_connection


# ---- what the wrappers do --------------------------------------------------------------------------------------------


def origin_of(request: Any) -> Origin:
    """Of aiohttp's request."""
    url = request.url
    return Origin(url.scheme, url.raw_host or "", url.port or PORTS.get(url.scheme, 0))


@guarded(LIBRARY)
def _begin(request: Any, protocol: Any) -> None:
    before = carried(protocol)
    if before is not None:  # the connection is used again
        before.call.end()
    is_tunnel = request.method == "CONNECT"  # to a proxy, for the request that is about to be sent
    call = None if is_tunnel else calls.begin("aiohttp", origin_of(request))
    setattr(protocol, CALL_OF, None if call is None else Carried(call, getattr(request, "_timer", None)))


def carried(protocol: Any) -> Carried | None:
    found = getattr(protocol, CALL_OF, None)
    return found if isinstance(found, Carried) else None


@guarded(LIBRARY)
def _wrote(protocol: Any, chunk: Any) -> None:
    found = carried(protocol)
    if found is not None:
        found.call.upload.take(bytes(chunk))


@guarded(LIBRARY)
def _received(protocol: Any, data: bytes) -> bool:
    found = carried(protocol)
    if found is None or found.is_inside:
        return False
    found.is_inside = True
    if data and not found.call.is_over:
        found.call.is_waiting = False  # it came, for whoever reads on
        is_first = not found.call.has_answer
        found.call.take(bytes(data))
        if is_first:
            found.call.close()
    return True


@guarded(LIBRARY)
def _leave(protocol: Any) -> None:
    if (found := carried(protocol)) is not None:
        found.is_inside = False


@guarded(LIBRARY)
def _given_up(reader: Any) -> None:
    found = carried(reader._protocol)
    if found is not None and not found.call.is_over:
        found.call.is_waiting = True


@guarded(LIBRARY)
def _failed(protocol: Any, error: Any) -> None:
    found = carried(protocol)
    if found is None or protocol.transport is None or found.is_inside:
        return  # the client hung up, or refuses what it was sent: it will do so again
    if isinstance(error, Exception):
        found.call.fail(error)


@guarded(LIBRARY)
def _lost(protocol: Any, error: BaseException | None) -> None:
    found = carried(protocol)
    if found is None:
        return
    setattr(protocol, CALL_OF, None)
    if protocol.transport is None:  # the client hung up
        if getattr(found.timer, "_cancelled", False) and found.call.error is None:
            found.call.error = [["builtins.TimeoutError", []]]
        found.call.stop()
    elif isinstance(error, Exception):
        found.call.fail(error)
    else:
        found.call.end()


@guarded(LIBRARY)
def _not_connected(request: Any, error: BaseException) -> None:
    if not isinstance(error, Exception):
        return
    call = calls.begin("aiohttp", origin_of(request))
    if call is not None:
        call.connect, call.error, call.is_over = True, chain_of(error), True
        call.close()
