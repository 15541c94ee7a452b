"""http.client and urllib3 in replay: a socket that takes what is sent, and answers when it is first read."""

from __future__ import annotations

import errno
import functools
import http.client
import io
import os
import socket
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

from timetracer_otel.cassette.model import Payload
from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.drivers.http import asking
from timetracer_otel.drivers.http.asking import Answer
from timetracer_otel.drivers.http.covering import is_suppressed
from timetracer_otel.drivers.http.errors import dialled, innermost, system_error
from timetracer_otel.drivers.http.peers import Peer, peer_of
from timetracer_otel.drivers.http.requests import request
from timetracer_otel.drivers.http.socket_tap import origin_of
from timetracer_otel.drivers.http.uploads import Upload
from timetracer_otel.drivers.http.wires import reads_of
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "replay cannot answer http.client"
UNVERIFIED: Final = (ssl.CERT_NONE, "CERT_NONE")


class UnrecordedCallError(http.client.HTTPException):
    """No recorded request equals this one."""


def install(patches: Patches, client: Any, host: ReplayHost) -> None:
    """`client`: the module http.client. Raises MissingNames."""
    require("http.client", [(client.HTTPConnection, "connect")], LOST)
    for owner in (client.HTTPConnection, getattr(client, "HTTPSConnection", None)):
        if owner is not None:
            patches.put(owner, "connect", _connecting(owner.connect, host))


def _connecting(original: Callable[..., Any], host: ReplayHost) -> Callable[..., Any]:
    @functools.wraps(original)
    def connect(self: Any) -> None:
        if is_suppressed():  # an exporter's own
            original(self)
            return
        error = _failure(self, host)
        if error is not None:
            raise error
        self.sock = StubSocket(self, host, UnrecordedCallError)

    return connect


def _failure(connection: Any, host: ReplayHost) -> BaseException | None:
    found = asking.failure(host, "http.client", origin_of(connection))
    return error_of(found) if found is not None else None


def error_of(answer: Answer) -> BaseException:
    """What the socket, or the making of it, failed with."""
    return system_error(answer.error) or OSError(dialled(answer.error) or innermost(answer.error))


# ---- urllib3 ---------------------------------------------------------------------------------------------------------

_dialled: Final[ContextVar[StubSocket | BaseException | None]] = ContextVar("timetracer_http_dialled", default=None)
"""What urllib3 gets for the connection that it is making: its own code says what an error means."""


def install_urllib3(patches: Patches, urllib3: Any, host: ReplayHost) -> None:
    """`urllib3`: the module. Raises MissingNames."""
    from urllib3 import connection
    from urllib3.util import connection as dialling
    from urllib3.util.retry import Retry

    require("urllib3", [(connection.HTTPConnection, "_new_conn"), (dialling, "create_connection")], LOST)
    patches.put(dialling, "create_connection", _dialling(dialling.create_connection))
    miss = unrecorded(urllib3)
    for owner in (connection.HTTPConnection, getattr(connection, "HTTPSConnection", None)):
        if owner is not None and "connect" in vars(owner):
            patches.put(owner, "connect", _connecting_urllib3(owner.connect, host, miss))
    patches.put(Retry, "sleep", _sleep)


def install_socks(patches: Patches, contrib: Any, host: ReplayHost) -> None:
    """`contrib`: the module urllib3.contrib.socks, which dials by PySocks. Raises MissingNames."""
    require("PySocks", [(contrib.socks, "create_connection")], LOST)
    patches.put(contrib.socks, "create_connection", _dialling(contrib.socks.create_connection))


def unrecorded(urllib3: Any) -> type[Exception]:
    """Neither `urlopen` nor a Retry catches it."""
    return _miss_of(urllib3.exceptions.HTTPError)


@functools.cache
def _miss_of(base: type[Exception]) -> type[Exception]:
    return type("UnrecordedCallError", (base,), {"__doc__": UnrecordedCallError.__doc__, "__module__": __name__})


def _dialling(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def create_connection(*args: Any, **kwargs: Any) -> Any:
        found = _dialled.get()
        if isinstance(found, BaseException):
            raise found
        return original(*args, **kwargs) if found is None else found

    return create_connection


def _connecting_urllib3(original: Callable[..., Any], host: ReplayHost, miss: type[Exception]) -> Callable[..., Any]:
    @functools.wraps(original)
    def connect(self: Any) -> None:
        if is_suppressed():
            original(self)
            return
        error = _failure(self, host)
        is_late = isinstance(error, ssl.SSLError)  # the connection was there already
        token = _dialled.set(StubSocket(self, host, miss) if error is None or is_late else error)
        try:
            sock = self._new_conn()
        finally:
            _dialled.reset(token)
        if error is not None:
            raise error
        self.sock = sock
        self.is_verified = getattr(self, "cert_reqs", None) not in UNVERIFIED
        self._has_connected_to_proxy = bool(getattr(self, "proxy", None))

    return connect


def _sleep(self: Any, response: Any = None) -> None:
    """What a retry waits for was recorded."""


Miss: TypeAlias = type[Exception]
"""Beside a socket's own attribute `type`."""

# ---- the socket ------------------------------------------------------------------------------------------------------


@functools.cache
def _never_readable() -> int:
    """A pool asks whether a connection was dropped meanwhile: it was not. The other end stays open."""
    return os.pipe()[0]


class StubSocket:
    """As much of a socket as http.client, urllib3 and applications that look at their connection ask for."""

    type, proto = socket.SOCK_STREAM, 0

    def __init__(self, connection: Any, host: ReplayHost, miss: Miss) -> None:
        self._connection, self._host, self._miss = connection, host, miss
        self._upload = self._next()

    def _next(self) -> Upload:
        return Upload(is_wire=True, marks=asking.marks(self._host))

    def sendall(self, data: Any, *_: Any) -> None:
        self._upload.take(bytes(data))

    def ask(self) -> Answer:
        """For what was sent since the last answer."""
        return asking.answer(self._host, self._asked(), self._miss)

    def _asked(self) -> Payload:
        upload, self._upload = self._upload, self._next()
        return request("http.client", origin_of(self._connection), None, upload)

    def refuse(self, answer: Answer) -> BaseException:
        return self._miss(answer.refuse())

    def makefile(self, *_: Any, **__: Any) -> Any:
        return io.BufferedReader(Raw(self))

    def fileno(self) -> int:
        return _never_readable()

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in str(self._connection.host) else socket.AF_INET

    def getpeername(self) -> Peer:
        """Raises OSError where the server was asked by its name: its address is not known."""
        found = peer_of(str(self._connection.host), int(self._connection.port or 0))
        if found is None:
            raise OSError(errno.ENOTCONN, f"timetracer: the address of {self._connection.host} was not recorded")
        return found

    def getsockname(self) -> Peer:
        """As of a socket that is not bound."""
        return ("0.0.0.0", 0) if self.family == socket.AF_INET else ("::", 0, 0, 0)

    def settimeout(self, value: Any) -> None:
        """Nothing waits."""

    def gettimeout(self) -> None:
        return None

    def setsockopt(self, *_: Any) -> None:
        """There is nothing to set."""

    def getpeercert(self, binary_form: bool = False) -> Any:
        return b"" if binary_form else {}

    def shutdown(self, how: int) -> None:
        """There is nobody to tell."""

    def close(self) -> None:
        if self._upload.size:
            asking.give_up(self._host, self._asked())


class Raw(io.RawIOBase):
    """One response, read by read as it came."""

    def __init__(self, sock: StubSocket) -> None:
        super().__init__()
        self._sock = sock
        self._answer: Answer | None = None
        self._reads: list[bytes] = []

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self._answer is None:
            self._answer = self._sock.ask()
            self._reads = reads_of(self._answer)
        if not self._reads:
            return self._end(self._answer)
        read = self._reads.pop(0)
        size = min(len(read), len(buffer))
        buffer[:size] = read[:size]
        if read[size:]:
            self._reads.insert(0, read[size:])
        return size

    def _end(self, answer: Answer) -> int:
        if answer.error is not None:
            raise error_of(answer)
        if answer.ended == "client":
            raise self._sock.refuse(answer)
        return 0
