"""With a real server and raw sockets: client and second exporter see the same with and without us."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from tests.drivers.asgi.parts import (
    MemoryTape,
    Message,
    Telemetry,
    exchange_of,
    raw_request,
    recording,
    serving,
    talk,
)
from timetracer_otel.drivers.asgi.heard import HeardRequest
from timetracer_otel.redaction import Redactor


async def form(request: Request) -> Response:
    async with request.form() as fields:
        return JSONResponse(
            {name: value if isinstance(value, str) else (await value.read()).hex() for name, value in fields.items()}
        )


async def size(request: Request) -> Response:
    return JSONResponse({"size": len(await request.body())})


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


async def streamed_in(request: Request) -> Response:
    sizes = [len(piece) async for piece in request.stream()]
    return PlainTextResponse(str(sum(sizes)))


async def polling(request: Request) -> Response:
    polls = [await request.is_disconnected() for _ in range(20)]
    return PlainTextResponse(str(any(polls)))


async def early(request: Request) -> Response:
    return PlainTextResponse("early", status_code=413)


async def strange(request: Request) -> Response:
    response = PlainTextResponse(request.headers.get("x-name", "").encode("latin-1"))
    response.raw_headers += [(b"x-answer", b"\xe9\xff"), (b"X-a", b"1"), (b"x-A", b"2")]
    for cookie in (b"a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT", b"b=2"):
        response.raw_headers.append((b"set-cookie", cookie))
    return response


async def query(request: Request) -> Response:
    return JSONResponse({"path": request.url.path, "query": request.scope["query_string"].hex()})


async def empty(request: Request) -> Response:
    return Response(status_code=204)


async def streamed_out(request: Request) -> Response:
    async def pieces() -> Any:
        for number in range(3):
            yield f"piece {number}\n".encode()
            await asyncio.sleep(0.01)

    return StreamingResponse(pieces(), media_type="text/plain")


async def fails(request: Request) -> Response:
    raise KeyError("total")


async def fails_late(request: Request) -> Response:
    async def pieces() -> Any:
        yield b"half "
        raise KeyError("total")

    return StreamingResponse(pieces(), media_type="text/plain")


async def large(request: Request) -> Response:
    return PlainTextResponse("0123456789" * 20_000)


ROUTES: list[Callable[..., Any]] = [
    form, size, echo, streamed_in, polling, early, strange, empty, streamed_out, fails, fails_late, large,
]  # fmt: skip


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-passed"] = "yes"
        return response


def build(telemetry: Telemetry, *middleware: Middleware) -> Any:
    routes = [Route(f"/{each.__name__}", each, methods=["GET", "POST", "PUT"]) for each in ROUTES]
    app = Starlette(
        routes=[*routes, Mount("/sub", routes=routes), Route("/{rest:path}", query)], middleware=[*middleware]
    )
    return OpenTelemetryMiddleware(app, tracer_provider=telemetry.provider)


MULTIPART = (
    b'--cut\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n\x00\xff\x01\r\n--cut--\r\n'
)
CHUNKED = b"POST /streamed_in HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
BIG = b"x" * 300_000

REQUESTS: dict[str, tuple[bytes, ...]] = {
    "form": (raw_request(b"POST /form", b"a=1&password=hunter2", b"content-type: application/x-www-form-urlencoded"),),
    "multipart": (raw_request(b"POST /form", MULTIPART, b"content-type: multipart/form-data; boundary=cut"),),
    "binary": (raw_request(b"POST /echo", bytes(range(256)), b"content-type: application/octet-stream"),),
    "binary with equals": (raw_request(b"POST /echo", b"a=\xff\x00=b", b"content-type: application/octet-stream"),),
    "empty": (raw_request(b"POST /size"),),
    "more than 64 KB": (raw_request(b"POST /size", BIG),),
    "more than 64 KB echoed": (raw_request(b"POST /echo", BIG),),
    "chunked": (CHUNKED, b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"),
    "put": (raw_request(b"PUT /echo", b"new"),),
    "body not read": (raw_request(b"POST /polling", b"never read"),),
    "early answer": (raw_request(b"POST /early", b"never read"),),
    "is_disconnected in a loop": (raw_request(b"GET /polling"),),
    "header byte e9": (raw_request(b"GET /strange", b"", b"x-name: \xe9\xff", b"cookie: a=\x80"),),
    "path and query of any byte": (raw_request(b"GET /%FF%00%F0%9F%98%84?a=%C3%28"),),
    "two forwarded": (raw_request(b"GET /size", b"", b"x-forwarded-for: 1.1.1.1", b"X-Forwarded-For: 2.2.2.2"),),
    "head": (raw_request(b"HEAD /large"),),
    "no content": (raw_request(b"GET /empty"),),
    "streamed answer": (raw_request(b"GET /streamed_out"),),
    "large answer": (raw_request(b"GET /large"),),
    "gzip": (raw_request(b"GET /large", b"", b"accept-encoding: gzip"),),
    "exception": (raw_request(b"GET /fails"),),
    "exception in the middle of the answer": (raw_request(b"GET /fails_late"),),
    "not found in a mount": (raw_request(b"GET /sub/none"),),
    "mount": (raw_request(b"POST /sub/echo", b"mounted"),),
    "redirect": (raw_request(b"GET /sub"),),
}
IN_PIECES = ("more than 64 KB", "more than 64 KB echoed", "chunked")
"""Requests that the network cuts as it likes, so that an app receives them in more or in fewer steps."""
STACKS: dict[str, tuple[Middleware, ...]] = {
    "plain": (),
    "gzip": (Middleware(GZipMiddleware, minimum_size=100),),
    "BaseHTTPMiddleware": (Middleware(Passing),),
}


class Counting:
    """Outermost: counts the requests that the app is done with."""

    def __init__(self, app: Any) -> None:
        self.app, self.done = app, 0

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            self.done += scope["type"] == "http"


def all_requests(stack: str) -> dict[str, tuple[bytes, Any]]:
    """By name: what the client got, and the spans."""
    telemetry, seen = Telemetry(), {}
    app = Counting(build(telemetry, *STACKS[stack]))
    with serving(app) as port:
        for number, (name, pieces) in enumerate(REQUESTS.items(), start=1):
            answer = talk(port, *pieces)
            while app.done < number:
                time.sleep(0.001)
            spans = telemetry.spans
            seen[name] = answer, [span for span, _ in itertools.groupby(spans)] if name in IN_PIECES else spans
            telemetry.exporter.clear()
    return seen


@pytest.mark.parametrize("stack", STACKS)
def test_the_client_and_a_second_exporter_see_the_same_with_and_without_us(stack: str) -> None:
    without = all_requests(stack)
    tape = MemoryTape()
    with recording(tape):
        seen = all_requests(stack)
    for name in REQUESTS:
        assert (name, *seen[name]) == (name, *without[name])
        assert seen[name][0].startswith(b"HTTP/1.1 ")
    assert len(tape.captured) == len(REQUESTS)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def test_pipelined_requests_are_two_entries() -> None:
    tape = MemoryTape()
    first = raw_request(b"POST /echo", b"one").replace(b"connection: close\r\n", b"")
    with recording(tape), serving(build(Telemetry())) as port:
        answer = talk(port, first + raw_request(b"POST /echo", b"two"))
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert [exchange_of(captured).request["body_size"] for captured in tape.captured] == [3, 3]


def record_one(*pieces: bytes) -> tuple[bytes, MemoryTape]:
    tape = MemoryTape()
    with recording(tape), serving(build(Telemetry())) as port:
        return talk(port, *pieces), tape


# ---- faults of timetracer 1.6.0 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["form", "multipart", "binary", "empty", "more than 64 KB"])
def test_timetracer_1_6_0_a_body_of_this_kind_does_not_hang_the_request(name: str) -> None:
    answer, tape = record_one(*REQUESTS[name])
    assert answer.startswith(b"HTTP/1.1 200 OK")
    sent = REQUESTS[name][0].partition(b"\r\n\r\n")[2]
    assert b"".join(chunk for _, chunk in tape.request["body"]) == sent
    assert (tape.request["body_size"], tape.request["ended"]) == (len(sent), True)


def test_timetracer_1_6_0_the_app_receives_what_was_sent_and_not_the_redacted_body() -> None:
    answer, tape = record_one(*REQUESTS["form"])
    assert b'"password":"hunter2"' in answer
    exchange: Any = exchange_of(tape.captured[0], Redactor())
    assert b"hunter2" not in exchange.request["body"][0][1]
    assert b"a=1&password=" in exchange.request["body"][0][1]


def test_timetracer_1_6_0_a_header_byte_that_is_no_utf_8_is_recorded_as_it_is() -> None:
    answer, tape = record_one(*REQUESTS["header byte e9"])
    assert b"x-answer: \xe9\xff\r\n" in answer
    assert [b"x-name", b"\xe9\xff"] in tape.request["headers"]
    assert [b"x-answer", b"\xe9\xff"] in tape.result["headers"]


# ---- R21, R22 --------------------------------------------------------------------------------------------------------


def test_r21_path_query_and_cookie_are_recorded_as_bytes() -> None:
    _, tape = record_one(raw_request(b"GET /%FF%00%F0%9F%98%84?a=%C3%28", b"", b"cookie: a=\x80"))
    assert tape.request["raw_path"] == b"/%FF%00%F0%9F%98%84"
    assert tape.request["query_string"] == b"a=%C3%28"
    assert [b"cookie", b"a=\x80"] in tape.request["headers"]


def test_r22_order_duplicates_and_case_of_headers_survive() -> None:
    _, tape = record_one(*REQUESTS["header byte e9"])
    pairs = [pair for pair in tape.result["headers"] if pair[0].lower() in (b"x-a", b"set-cookie")]
    assert pairs == [
        [b"X-a", b"1"],
        [b"x-A", b"2"],
        [b"set-cookie", b"a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT"],
        [b"set-cookie", b"b=2"],
    ]


# ---- R20: on a socket ------------------------------------------------------------------------------------------------


def test_r20_the_first_chunk_reaches_the_client_before_the_second_is_made() -> None:
    gate = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        loops.append(asyncio.get_running_loop())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"second"})

    traced = OpenTelemetryMiddleware(app, tracer_provider=Telemetry().provider)
    with recording(MemoryTape()), serving(traced) as port, connected(port) as connection:
        connection.sendall(raw_request(b"GET /"))
        received = b""
        while b"first" not in received:
            received += connection.recv(1000)
        loops[-1].call_soon_threadsafe(gate.set)
        while data := connection.recv(1000):
            received += data
    assert b"second" in received


def test_r20_a_client_that_leaves_in_the_middle_of_a_stream_is_recorded() -> None:
    tape, ended = MemoryTape(), []

    async def endless(request: Request) -> Response:
        async def pieces() -> Any:
            try:
                while True:
                    yield b"tick\n"
                    await asyncio.sleep(0.01)
            finally:
                ended.append("ended")

        return StreamingResponse(pieces(), media_type="text/plain")

    app = Starlette(routes=[Route("/", endless)])
    with recording(tape), serving(OpenTelemetryMiddleware(app, tracer_provider=Telemetry().provider)) as port:
        with connected(port) as connection:
            connection.sendall(raw_request(b"GET /"))
            received = b""
            while received.count(b"tick") < 3:
                received += connection.recv(1000)
        deadline = time.monotonic() + 60
        while not ended and time.monotonic() < deadline:
            time.sleep(0.01)
    assert ended == ["ended"]
    assert tape.result["ended"] is False
    assert tape.result["disconnected_ns"] > 0


def test_r20_a_large_upload_is_streamed_through_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMETRACER_PAYLOAD_MAX", "1MiB")
    total = 20_000_000
    tape = MemoryTape()
    head = b"POST /streamed_in HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % total
    with recording(tape), serving(build(Telemetry())) as port:
        answer = talk(port, head, *[b"y" * 1_000_000] * 20)
    assert answer.endswith(b"%d" % total)
    request = tape.captured[0].request
    assert isinstance(request, HeardRequest)
    assert (request.body.chunks, request.body.size, request.body.dropped) == ([], total, "limit")
