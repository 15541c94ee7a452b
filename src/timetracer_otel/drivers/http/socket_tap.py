"""The tap in http.client, below urllib, urllib3 and requests: what goes over the wire, in both directions.

A response is heard where its buffered reader reads the socket: `readinto` of that one raw reader is looked up on the
instance, so every type and identity stays as it is, and nothing is read that the client does not read.
"""

from __future__ import annotations

import functools
import io
import weakref
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.http import calls
from timetracer_otel.drivers.http.calls import Call, Origin
from timetracer_otel.drivers.http.errors import chain_of
from timetracer_otel.drivers.http.names import LIBRARY, PORTS
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "requests over http.client are not recorded"
NAMES: Final = ("connect", "putrequest", "send", "close")
CALL_OF: Final = "_timetracer_call"
"""Of a connection: the call that it is about to send (`NEXT`), or sends; of a response: its own."""
NEXT: Final = object()
_by_socket: weakref.WeakKeyDictionary[Any, Call] = weakref.WeakKeyDictionary()


def install(patches: Patches, client: Any) -> None:
    """`client`: the module http.client. Raises MissingNames."""
    connection, response = client.HTTPConnection, client.HTTPResponse
    names = [(connection, name) for name in NAMES]
    require("http.client", [*names, (response, "__init__"), (response, "_close_conn")], LOST)
    patches.put(connection, "putrequest", _beginning(connection.putrequest))
    patches.put(connection, "send", _sending(connection.send))
    patches.put(connection, "close", _hanging_up(connection.close))
    patches.put(response, "__init__", _responding(response.__init__))
    patches.put(response, "_close_conn", _closing(response._close_conn))
    for owner in (connection, getattr(client, "HTTPSConnection", None)):
        if owner is not None:
            patches.put(owner, "connect", _connecting(owner.connect))


def install_urllib3(patches: Patches, urllib3: Any) -> None:
    """`urllib3`: the module. It makes its connections itself. Raises MissingNames."""
    from urllib3 import connection

    require("urllib3", [(connection, "HTTPConnection"), (connection.HTTPConnection, "connect")], LOST)
    for owner in (connection.HTTPConnection, getattr(connection, "HTTPSConnection", None)):
        if owner is not None and "connect" in vars(owner):
            patches.put(owner, "connect", _connecting(owner.connect))


def _beginning(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def putrequest(self: Any, *args: Any, **kwargs: Any) -> Any:
        _next(self)
        return original(self, *args, **kwargs)

    return putrequest


def _sending(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def send(self: Any, data: Any) -> Any:
        try:
            result = original(self, data)
        except BaseException as error:
            _sent(self, data, error)
            raise
        _sent(self, data, None)
        return result

    return send


def _hanging_up(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def close(self: Any) -> Any:
        _given_up(self)
        return original(self)

    return close


def _connecting(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def connect(self: Any) -> Any:
        try:
            return original(self)
        except BaseException as error:
            _not_connected(self, error)
            raise

    return connect


def _responding(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def __init__(self: Any, sock: Any, *args: Any, **kwargs: Any) -> None:
        original(self, sock, *args, **kwargs)
        _hear(self, sock)

    return __init__


def _closing(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _close_conn(self: Any) -> Any:
        try:
            return original(self)
        finally:
            _closed(self)

    return _close_conn


# ---- what the wrappers do --------------------------------------------------------------------------------------------


def origin_of(connection: Any) -> Origin:
    """Of the server, also behind a tunnel."""
    names = [kind.__name__ for kind in type(connection).__mro__]
    scheme = "https" if any(name.startswith("HTTPS") for name in names) else "http"
    tunnel = connection._tunnel_host
    host, port = (tunnel, connection._tunnel_port) if tunnel else (connection.host, connection.port)
    return Origin(scheme, str(host).strip("[]"), int(port or PORTS[scheme]))


@guarded(LIBRARY)
def _next(connection: Any) -> None:
    connection.__dict__[CALL_OF] = NEXT


@guarded(LIBRARY)
def _sent(connection: Any, data: Any, error: BaseException | None) -> None:
    call = connection.__dict__.get(CALL_OF)
    if call is None or connection.sock is None:
        return
    is_bytes = isinstance(data, (bytes, bytearray, memoryview))
    if is_bytes and bytes(data[:8]) == b"CONNECT ":  # to a proxy, for the request that is about to be sent
        return
    if call is NEXT:
        call = connection.__dict__[CALL_OF] = calls.begin("http.client", origin_of(connection))
        if call is None:
            _by_socket.pop(connection.sock, None)
            return
        _by_socket[connection.sock] = call
    if not is_bytes:  # a file that the application hands over itself: the client has read it
        call.is_lost = True
    elif error is None:
        call.upload.take(bytes(data))
    if error is not None:
        _break(call, error)


def _break(call: Call, error: BaseException) -> None:
    if isinstance(error, Exception):
        call.fail(error)
    else:
        call.stop()


@guarded(LIBRARY)
def _given_up(connection: Any) -> None:
    """Before anything has come of an answer, perhaps in the middle of the request."""
    call = connection.__dict__.get(CALL_OF)
    if isinstance(call, Call) and not call.is_answered:
        call.stop()


@guarded(LIBRARY)
def _not_connected(connection: Any, error: BaseException) -> None:
    """Once, also where one class's connect calls another's."""
    if connection.__dict__.get(CALL_OF) is error or not isinstance(error, Exception):
        return
    connection.__dict__[CALL_OF] = None
    call = calls.begin("http.client", origin_of(connection))
    if call is not None:
        call.connect, call.error, call.is_over = True, chain_of(error), True
        call.close()


@guarded(LIBRARY)
def _hear(response: Any, sock: Any) -> None:
    call = _by_socket.get(sock)
    if call is None or call.is_answered or not isinstance(response.fp, io.BufferedReader):
        return
    response.__dict__[CALL_OF] = call
    raw = response.fp.raw
    raw.readinto = _hearing(weakref.ref(raw), type(raw).readinto, call)


def _hearing(raw: Callable[[], Any], original: Callable[..., Any], call: Call) -> Callable[[Any], Any]:
    def readinto(buffer: Any) -> Any:
        try:
            size = original(raw(), buffer)
        except BaseException as error:
            _broke(call, error)
            raise
        _came(call, buffer, size)
        return size

    return readinto


@guarded(LIBRARY)
def _came(call: Call, buffer: Any, size: int | None) -> None:
    if size:
        is_first = not call.has_answer
        call.take(bytes(buffer[:size]))
        if is_first:
            call.close()
    elif size == 0:
        call.end()


@guarded(LIBRARY)
def _broke(call: Call, error: BaseException) -> None:
    _break(call, error)


@guarded(LIBRARY)
def _closed(response: Any) -> None:
    call = response.__dict__.get(CALL_OF)
    if call is not None:
        call.stop()
