"""aiohttp in replay: its protocol stands on a transport of ours. Parser, limits, cookies and timers are real."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.drivers.http import asking
from timetracer_otel.drivers.http.aiohttp_tap import origin_of
from timetracer_otel.drivers.http.asking import Answer
from timetracer_otel.drivers.http.covering import is_suppressed
from timetracer_otel.drivers.http.errors import chained_error, client_error, innermost, links, system_error
from timetracer_otel.drivers.http.names import CONNECT
from timetracer_otel.drivers.http.peers import Peer, peer_of
from timetracer_otel.drivers.http.requests import request as request_of
from timetracer_otel.drivers.http.uploads import Progress, Upload
from timetracer_otel.drivers.http.wires import reads_of
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "replay cannot answer aiohttp"
SOCKS: Final = ("aiohttp_socks", "python_socks")
"""A connector of somebody else, with what it speaks SOCKS by."""
TURNS: Final = 4
"""Of the loop between two reads: with fewer the application would see them as one."""
LOOK_S: Final = 0.01
"""Between two looks at whether the application wants to read on."""
GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def install(patches: Patches, aiohttp: Any, host: ReplayHost) -> None:
    """`aiohttp`: the module. Raises MissingNames."""
    from aiohttp import client_reqrep, connector

    needed = [(connector.TCPConnector, "_create_connection"), (client_reqrep.ClientRequest, "send")]
    require("aiohttp", needed, LOST)
    create = connector.TCPConnector._create_connection
    patches.put(connector.TCPConnector, "_create_connection", _connecting(create, aiohttp, host))
    patches.put(client_reqrep.ClientRequest, "send", _sending(client_reqrep.ClientRequest.send))


def _connecting(original: Callable[..., Any], aiohttp: Any, host: ReplayHost) -> Callable[..., Any]:
    miss = _unrecorded(aiohttp.ClientError)

    @functools.wraps(original)
    async def _create_connection(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        if is_suppressed():
            return await original(self, req, *args, **kwargs)
        failed = asking.failure(host, "aiohttp", origin_of(req))
        if failed is not None:
            raise connect_error(failed, req, aiohttp)
        protocol = self._factory()
        peer = peer_of(req.url.raw_host or "", req.url.port or 0)
        protocol.connection_made(StubTransport(protocol, host, miss, aiohttp, peer))
        return protocol

    return _create_connection


@functools.cache
def _unrecorded(base: type[Exception]) -> type[Exception]:
    """No ClientConnectionError, which applications try again."""
    text = "No recorded request equals this one."
    return type("UnrecordedCallError", (base,), {"__doc__": text, "__module__": __name__})


def connect_error(answer: Answer, request: Any, aiohttp: Any) -> BaseException:
    """The connector's own, made as it makes it."""
    found, cause = links(answer.error), system_error(answer.error)
    if found and found[0][0].startswith(f"{SOCKS[0]}."):
        return chained_error(answer.error, SOCKS) or TimeoutError()
    kind = getattr(aiohttp, found[0][0].rpartition(".")[2], None) if found else None
    about = (aiohttp.ClientConnectorError, aiohttp.ClientConnectorCertificateError)
    if isinstance(kind, type) and issubclass(kind, about):
        made: BaseException = kind(request.connection_key, cause or OSError(innermost(answer.error)))
        made.__cause__ = cause
        return made
    return client_error(answer.error, aiohttp) or cause or TimeoutError()


def _sending(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def send(self: Any, conn: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(conn.transport, StubTransport):
            conn.transport.begin(self)
        return await original(self, conn, *args, **kwargs)

    return send


class StubTransport(asyncio.Transport):
    """Takes a request, and feeds the recorded reads one by one."""

    def __init__(
        self, protocol: Any, host: ReplayHost, miss: type[Exception], aiohttp: Any, peer: Peer | None = None
    ) -> None:
        super().__init__({"peername": peer} if peer is not None else {})
        self._protocol, self._host, self._miss, self._aiohttp = protocol, host, miss, aiohttp
        self._request: Any = None
        self._upload, self._progress = self._next(), Progress()
        self._is_closing = self._is_paused = False
        self._reads: deque[bytes] = deque()

    def begin(self, request: Any) -> None:
        """The next request is about to be written."""
        self._request, self._upload, self._progress = request, self._next(), Progress()

    def _next(self) -> Upload:
        return Upload(is_wire=True, marks=asking.marks(self._host))

    def write(self, data: Any) -> None:
        if self._request is None:
            return
        self._upload.take(bytes(data))
        if self._progress.has_end(bytes(data)):
            upload, request, self._request = self._upload, self._request, None
            self._ask(request, upload)
        elif self._progress.asks_first:
            self._progress.asks_first = False
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Whatever the server said to the head alone was recorded as the answer to all."""
        if not self._is_closing:
            self._protocol.data_received(GO_ON)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def _ask(self, request: Any, upload: Upload) -> None:
        asked = request_of("aiohttp", origin_of(request), None, upload)
        try:
            answer = asking.answer(self._host, asked, self._miss)
        except self._miss as error:
            self._protocol.set_exception(error)
            return
        if answer.exchange.type == CONNECT:
            self._protocol.set_exception(connect_error(answer, request, self._aiohttp))
            return
        self._reads = deque(reads_of(answer))
        self._pump(answer, request, bool(self._reads))

    def _pump(self, answer: Answer, request: Any, has_come: bool, turns: int = TURNS) -> None:
        if self._is_closing:
            return
        if turns or self._is_paused:
            asyncio.get_running_loop().call_soon(self._pump, answer, request, has_come, max(0, turns - 1))
        elif self._reads:
            self._protocol.data_received(self._reads.popleft())
            self._pump(answer, request, has_come)
        else:
            self._end(answer, request, has_come)

    def _end(self, answer: Answer, request: Any, has_come: bool) -> None:
        if answer.error is not None:
            self._fail(answer, request)
        elif answer.ended == "server":
            self._lose(None)
        elif answer.ended == "client" and has_come:
            self._refuse_later(answer)

    def _fail(self, answer: Answer, request: Any) -> None:
        names = [name for name, _ in links(answer.error)]
        if names == ["builtins.TimeoutError"]:  # the limit of the whole request: nobody waits for it again
            request._timer.timeout()
        elif names and names[0].endswith(".SocketTimeoutError"):
            self._protocol._on_read_timeout()
        else:
            self._lose(system_error(answer.error))

    def _refuse_later(self, answer: Answer, waited_s: float = 0.0) -> None:
        """As soon as the application wants to read on. Any: a stream that is released wants nothing."""
        payload: Any = self._protocol._payload
        if payload is None or payload.is_eof():
            return
        if payload._waiter is None:
            waited_s = 0.0
        elif waited_s >= answer.patience_s:
            payload.set_exception(self._miss(answer.refuse()))
            return
        asyncio.get_running_loop().call_later(LOOK_S, self._refuse_if_open, answer, waited_s + LOOK_S)

    def _refuse_if_open(self, answer: Answer, waited_s: float) -> None:
        if not self._is_closing:
            self._refuse_later(answer, waited_s)

    def _lose(self, error: BaseException | None) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._protocol.connection_lost(error)

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            if self._request is not None and self._upload.size:
                upload, request, self._request = self._upload, self._request, None
                asking.give_up(self._host, request_of("aiohttp", origin_of(request), None, upload))
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It never fills."""
