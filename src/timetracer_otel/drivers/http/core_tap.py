"""The tap in httpcore and httpcore2, below httpx and httpx2: the pool, HTTP/1.1 and HTTP/2 alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.http import calls
from timetracer_otel.drivers.http.calls import AnswerHead, Call, Head, Origin
from timetracer_otel.drivers.http.names import LIBRARY, PORTS
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "requests of httpx are not recorded"
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))


def install(patches: Patches, core: Any) -> None:
    """`core`: the module httpcore or httpcore2. Raises MissingNames."""
    pools = [(core.ConnectionPool, "handle_request"), (core.AsyncConnectionPool, "handle_async_request")]
    require(core.__name__, [*pools, (core, "PoolTimeout")], LOST)
    patches.put(core.ConnectionPool, "handle_request", _handling(core.ConnectionPool.handle_request, core))
    handle = core.AsyncConnectionPool.handle_async_request
    patches.put(core.AsyncConnectionPool, "handle_async_request", _handling_async(handle, core))


def _handling(original: Callable[..., Any], core: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def handle_request(self: Any, request: Any) -> Any:
        call = _begin(request)
        if call is None:
            return original(self, request)
        stream = request.stream
        _hear_request(call, request, SentStream)
        try:
            response = original(self, request)
        except BaseException as error:
            _failed(call, error, core)
            raise
        finally:
            request.stream = stream
        _answered(call, response, HeardStream)
        return response

    return handle_request


def _handling_async(original: Callable[..., Any], core: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    async def handle_async_request(self: Any, request: Any) -> Any:
        call = _begin(request)
        if call is None:
            return await original(self, request)
        stream = request.stream
        _hear_request(call, request, AsyncSentStream)
        try:
            response = await original(self, request)
        except BaseException as error:
            _failed(call, error, core)
            raise
        finally:
            request.stream = stream
        _answered(call, response, AsyncHeardStream)
        return response

    return handle_async_request


# ---- what the wrappers do --------------------------------------------------------------------------------------------


@guarded(LIBRARY)
def _begin(request: Any) -> Call | None:
    return calls.begin("httpcore", origin_of(request.url), Head(request.method, request.url.target, request.headers))


def origin_of(url: Any) -> Origin:
    """Of httpcore's URL."""
    scheme = url.scheme.decode("ascii")
    return Origin(scheme, url.host.decode("latin-1"), url.port or PORTS.get(scheme, 0))


@guarded(LIBRARY)
def _hear_request(call: Call, request: Any, ears: type) -> None:
    if has_body(request.headers):
        request.stream = ears(request.stream, call)
    else:
        call.upload.is_ended = True


def has_body(headers: Any) -> bool:
    return not _FRAMING.isdisjoint([name.lower() for name, _ in headers])


@guarded(LIBRARY)
def _failed(call: Call, error: BaseException, core: Any) -> None:
    # Nothing was sent, and in replay the real pool decides again.
    if isinstance(error, (core.PoolTimeout, core.UnsupportedProtocol)):
        call.discard()
    elif isinstance(error, Exception):
        call.fail(error)
    else:  # cancelled: no end of the server's making
        call.stop()


@guarded(LIBRARY)
def _answered(call: Call, response: Any, ears: type) -> None:
    extensions = response.extensions
    version, reason = extensions.get("http_version", b"HTTP/1.1"), extensions.get("reason_phrase")
    call.answer = AnswerHead(version, response.status, reason, response.headers)
    response.stream = ears(response.stream, call)
    call.close()


@guarded(LIBRARY)
def _sent(call: Call, part: Any) -> None:
    call.upload.take(bytes(part))


@guarded(LIBRARY)
def _sent_all(call: Call) -> None:
    call.upload.is_ended = True


@guarded(LIBRARY)
def _heard(call: Call, part: bytes) -> None:
    call.take(part)


@guarded(LIBRARY)
def _ended(call: Call) -> None:
    call.end()


@guarded(LIBRARY)
def _stopped(call: Call) -> None:
    call.stop()


@guarded(LIBRARY)
def _broke(call: Call, error: BaseException) -> None:
    if isinstance(error, Exception):
        call.fail(error)
    else:
        call.stop()


@guarded(LIBRARY)
def _broke_async(call: Call, error: BaseException) -> None:
    """What is no Exception there is a cancellation, of asyncio or trio."""
    call.is_waiting = not (isinstance(error, Exception) or call.is_over)
    _broke(call, error)


# ---- streams ---------------------------------------------------------------------------------------------------------


class SentStream:
    """The body of a request, as the pool iterates it."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._stream, self._call = stream, call

    def __iter__(self) -> Any:
        for part in self._stream:
            _sent(self._call, part)
            yield part
        _sent_all(self._call)


class AsyncSentStream:
    def __init__(self, stream: Any, call: Call) -> None:
        self._stream, self._call = stream, call

    async def __aiter__(self) -> Any:
        async for part in self._stream:
            _sent(self._call, part)
            yield part
        _sent_all(self._call)


class HeardStream:
    """The body of a response: iterators of the pool's own stream, so that each is let go when it was without us."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._stream, self._call = stream, call

    def __iter__(self) -> Any:
        return _Parts(iter(self._stream), self._call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            if not self._call.is_over:
                _stopped(self._call)


class _Parts:
    def __init__(self, parts: Any, call: Call) -> None:
        self._parts, self._call = parts, call

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        try:
            part = next(self._parts)
        except StopIteration:
            _ended(self._call)
            raise
        except BaseException as error:
            _broke(self._call, error)
            raise
        _heard(self._call, part)
        return part


class AsyncHeardStream:
    def __init__(self, stream: Any, call: Call) -> None:
        self._stream, self._call = stream, call

    def __aiter__(self) -> Any:
        return _AsyncParts(self._stream.__aiter__(), self._call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if not self._call.is_over:
                _stopped(self._call)


class _AsyncParts:
    def __init__(self, parts: Any, call: Call) -> None:
        self._parts, self._call = parts, call

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        try:
            part = await self._parts.__anext__()
        except StopAsyncIteration:
            _ended(self._call)
            raise
        except BaseException as error:
            _broke_async(self._call, error)
            raise
        _heard(self._call, part)
        return part
