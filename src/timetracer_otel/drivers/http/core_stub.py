"""httpcore in replay: the pool is real, and its connections answer from the cassette."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.cassette.model import Payload
from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.drivers.http import asking
from timetracer_otel.drivers.http.asking import Answer
from timetracer_otel.drivers.http.calls import Head
from timetracer_otel.drivers.http.core_tap import origin_of
from timetracer_otel.drivers.http.covering import is_suppressed
from timetracer_otel.drivers.http.errors import client_error, innermost, system_error
from timetracer_otel.drivers.http.peers import peer_of
from timetracer_otel.drivers.http.requests import request as request_of
from timetracer_otel.drivers.http.uploads import Upload
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "replay cannot answer httpx"
TURNS: Final = 4
"""Of the event loop before an answer."""
POOLS: Final = ("ConnectionPool", "AsyncConnectionPool", "HTTPProxy", "AsyncHTTPProxy", "SOCKSProxy", "AsyncSOCKSProxy")


def install(patches: Patches, core: Any, host: ReplayHost) -> None:
    """`core`: the module httpcore or httpcore2. Raises MissingNames."""
    require(core.__name__, [(core.ConnectionPool, "create_connection"), (core, "ConnectionNotAvailable")], LOST)
    stub = _stub(core, host)
    for name in POOLS:
        owner = getattr(core, name, None)
        if owner is not None and "create_connection" in vars(owner):
            patches.put(owner, "create_connection", _creating(owner.create_connection, stub))


def _creating(original: Callable[..., Any], stub: Callable[[Any, bool], Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def create_connection(self: Any, origin: Any) -> Any:
        if is_suppressed():  # an exporter's own
            return original(self, origin)
        return stub(origin, bool(getattr(self, "_http2", False)))

    return create_connection


def _stub(core: Any, host: ReplayHost) -> Callable[[Any, bool], Any]:
    def made(origin: Any, is_shared: bool) -> Any:
        return StubConnection(core, host, origin, is_shared)

    return made


class StubConnection:
    """Implements httpcore's ConnectionInterface, sync and async. `is_shared`: HTTP/2 takes many requests at a time."""

    def __init__(self, core: Any, host: ReplayHost, origin: Any, is_shared: bool) -> None:
        self._core, self._host, self._origin, self._is_shared = core, host, origin, is_shared
        self._busy, self._was_used, self._is_gone = 0, False, False

    def handle_request(self, request: Any) -> Any:
        self._begin()
        upload = self._upload()
        try:
            for part in request.stream:
                upload.take(bytes(part))
            return self._response(self._found(request, upload), Body, self._core.NetworkStream)
        except BaseException:
            self._stop(request, upload)
            raise

    async def handle_async_request(self, request: Any) -> Any:
        self._begin()
        upload = self._upload()
        try:
            async for part in request.stream:
                upload.take(bytes(part))
            await _others()
            found = self._found(request, upload)
            if found.is_given_up:
                await asyncio.Event().wait()  # until the application gives up once more
            return self._response(found, AsyncBody, self._core.AsyncNetworkStream)
        except BaseException:
            self._stop(request, upload)
            raise

    def _begin(self) -> None:
        if self._busy and not self._is_shared:
            raise self._core.ConnectionNotAvailable
        self._busy, self._was_used = self._busy + 1, True

    def let_go(self) -> None:
        """A request on it is over."""
        self._busy = max(0, self._busy - 1)

    def _upload(self) -> Upload:
        return Upload(marks=asking.marks(self._host))

    def _asked(self, request: Any, upload: Upload) -> Payload:
        head = Head(request.method, request.url.target, request.headers)
        return request_of("httpcore", origin_of(request.url), head, upload)

    def _found(self, request: Any, upload: Upload) -> Answer:
        upload.is_ended = True
        return asking.answer(self._host, self._asked(request, upload), self.miss)

    def _stop(self, request: Any, upload: Upload) -> None:
        if not upload.is_ended:
            asking.give_up(self._host, self._asked(request, upload))
        self.let_go()

    def _response(self, found: Answer, body: Callable[[StubConnection, Answer], Any], network: type) -> Any:
        if not found.has_head:
            raise self.miss(found.refuse()) if found.is_given_up else self.error(found)
        reason = {} if found.reason is None else {"reason_phrase": found.reason}
        extensions = {"http_version": found.version, **reason, "network_stream": self._stream(network)}
        stream = body(self, found)
        return self._core.Response(found.status, headers=found.headers, content=stream, extensions=extensions)

    def _stream(self, base: Any) -> Any:
        """For who asks where a response came from. Any: httpcore's class, whose other methods refuse."""
        made = base()
        peer = peer_of(self._origin.host.decode("latin-1"), self._origin.port)
        made.get_extra_info = {"server_addr": peer}.get
        return made

    def miss(self, text: str) -> BaseException:
        """Of a kind that applications do not retry, and httpx hands on as it is."""
        return unrecorded("httpx2" if self._core.__name__ == "httpcore2" else "httpx")(text)

    def error(self, answer: Answer) -> BaseException:
        """What the recorded request failed with."""
        own = client_error(answer.error, self._core)
        if own is not None:
            return own
        cause = system_error(answer.error)
        text = str(cause) if cause is not None else innermost(answer.error)
        kind = self._core.RemoteProtocolError if answer.reads else self._core.ConnectError
        made: BaseException = kind(text)
        return made

    # ---- what the pool asks ------------------------------------------------------------------------------------------

    def can_handle_request(self, origin: Any) -> bool:
        return bool(origin == self._origin)

    def is_available(self) -> bool:
        return not self._is_gone and (self._is_shared or (self._was_used and not self._busy))

    def is_idle(self) -> bool:
        return self._was_used and not self._busy

    def has_expired(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return self._is_gone

    def is_connected(self) -> bool:
        return not self._is_gone

    def can_multiplex(self) -> bool:
        return self._is_shared

    def info(self) -> str:
        return f"{self._origin}, replayed"

    def close(self) -> None:
        self._is_gone = True

    async def aclose(self) -> None:
        self._is_gone = True


class _Parts:
    """Those of a recorded body, then the way in which it ended."""

    def __init__(self, connection: StubConnection, answer: Answer) -> None:
        self._connection, self._answer = connection, answer
        self._is_open = True

    def _end(self) -> BaseException | None:
        answer = self._answer
        if answer.ended == "client":
            return self._connection.miss(answer.refuse())
        return self._connection.error(answer) if answer.ended == "error" else None

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._connection.let_go()


class Body(_Parts):
    def __iter__(self) -> Any:
        yield from filter(None, self._answer.pieces)
        if (error := self._end()) is not None:
            raise error

    def close(self) -> None:
        self._close()


class AsyncBody(_Parts):
    async def __aiter__(self) -> Any:
        for part in filter(None, self._answer.pieces):
            yield part
        if patience_s := self._answer.patience_s:
            await _pause(patience_s)
        if (error := self._end()) is not None:
            raise error

    async def aclose(self) -> None:
        self._close()


async def _others() -> None:
    """Requests that the application makes at the same time are sent before one of them is answered."""
    for _ in range(TURNS):
        await _pause(0)


async def _pause(time_s: float) -> None:
    """On whichever event loop runs."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        await trio.sleep(time_s)
    else:
        await asyncio.sleep(time_s)


@functools.cache
def unrecorded(client: str) -> type[Exception]:
    """The exception of a client of that name: httpx or httpx2."""
    found = sys.modules.get(client)
    base: type[Exception] = found.RequestError if found is not None else Exception
    return type(
        "UnrecordedCallError", (base,), {"__doc__": "No recorded request equals this one.", "__module__": __name__}
    )
