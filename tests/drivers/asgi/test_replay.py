"""Recorded on a real server, run again without one: each kind of request, on Starlette, FastAPI and a bare app."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router

from tests.drivers.asgi.parts import (
    MemoryTape,
    Message,
    Telemetry,
    exchange_of,
    raw_request,
    recording,
    segment_of,
    serving,
    talk,
)
from timetracer_otel.cassette import values
from timetracer_otel.cassette.model import Exchange, Signature, Span
from timetracer_otel.config import MIB
from timetracer_otel.drivers.asgi import lending, tap
from timetracer_otel.drivers.asgi.compare import body_of
from timetracer_otel.drivers.asgi.noise import SENT_REDACTED
from timetracer_otel.drivers.asgi.replay import ENTRY, _rest_s
from timetracer_otel.drivers.base import Comparison
from timetracer_otel.errors import DamagedCassette, TimetracerError
from timetracer_otel.redaction import Redactor

World = dict[str, Any]
"""What the endpoints say; a test changes it between recording and replay."""


def endpoints(world: World) -> dict[str, Callable[..., Any]]:
    async def order(request: Request) -> Response:
        headers = {"x-request-id": str(time.time_ns()), "location": "/next"}
        return JSONResponse({"id": request.path_params.get("id"), "total": world["total"]}, headers=headers)

    async def form(request: Request) -> Response:
        async with request.form() as fields:
            seen = {name: value if isinstance(value, str) else value.filename for name, value in fields.items()}
        return JSONResponse({"names": sorted(seen), "note": seen.get("note"), "total": world["total"]})

    async def echo(request: Request) -> Response:
        return Response(await request.body(), media_type="application/octet-stream")

    async def chunks(request: Request) -> Response:
        return JSONResponse([len(piece) async for piece in request.stream()])

    async def streamed(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(4):
                yield f"{world['total']} {number}\n".encode()
                await asyncio.sleep(0.001)

        return StreamingResponse(pieces(), media_type="text/plain")

    async def endless(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            number = 0
            while True:
                number += 1
                yield f"data: {number}\n\n".encode()
                await asyncio.sleep(0.005)

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def fails(request: Request) -> Response:
        raise KeyError(f"total {world['total']}")

    async def background(request: Request) -> Response:
        async def later() -> None:
            await asyncio.sleep(0.01)
            world["done"].append("later")

        return PlainTextResponse("soon", background=BackgroundTask(later))

    async def left_task(request: Request) -> Response:
        async def later() -> None:
            await asyncio.sleep(0.05)
            world["done"].append("left")

        world["task"] = asyncio.ensure_future(later())
        return PlainTextResponse("soon")

    async def state(request: Request) -> Response:
        return PlainTextResponse(request.state.pool)

    async def file(request: Request) -> Response:
        return FileResponse(__file__)

    async def empty(request: Request) -> Response:
        return Response(status_code=204)

    async def cookies(request: Request) -> Response:
        response = PlainTextResponse(f"it holds {request.cookies.get('sid', 'none')}")
        response.set_cookie("sid", "s3cr3t-session", max_age=60)
        response.set_cookie("csrftoken", str(time.time_ns()))
        response.raw_headers.append((b"x-answer", b"\xe9\xff"))
        return response

    async def early(request: Request) -> Response:
        return PlainTextResponse("too large", status_code=world["status"])

    async def unchanged(request: Request) -> Response:
        return Response(status_code=304, headers={"etag": f'"{world["total"]}"'})

    async def events(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield f"event: total\ndata: {world['total'] if number == 1 else number}\n\n".encode()
                await asyncio.sleep(0.001)

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def two_cookies(request: Request) -> Response:
        response = PlainTextResponse("as ever")
        for path in ("a", world["second"]):
            response.raw_headers.append((b"set-cookie", f"tab=; Path=/{path}".encode()))
        response.raw_headers += [(b"X-a", b"1"), (b"x-A", b"2")]
        return response

    async def raw(request: Request) -> Response:
        name = dict(request.scope["headers"])[b"x-name"]
        seen = (request.scope["raw_path"], request.scope["query_string"], name)
        return Response(b"|".join(seen), media_type="application/octet-stream")

    made = (
        *(order, form, echo, chunks, streamed, endless, fails, background, left_task, state, file, empty, cookies),
        *(early, unchanged, events, two_cookies, raw),
    )
    return {each.__name__: each for each in made}


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[World]:
    yield {"pool": "the pool"}


def raw_route(world: World) -> Route:
    return Route("/raw/{rest:path}", endpoints(world)["raw"])


def routes(world: World) -> list[Any]:
    made = [Route(f"/{name}", each, methods=["GET", "POST"]) for name, each in endpoints(world).items()]
    order = Route("/orders/{id}", endpoints(world)["order"])
    sub_application = OpenTelemetryMiddleware(Starlette(routes=[order]), tracer_provider=Telemetry().provider)
    api = Host("api.shop.test", Router([order]))
    return [api, *made, order, Mount("/sub", routes=made), Mount("/api", sub_application), raw_route(world)]


def starlette_app(world: World) -> Any:
    return Starlette(routes=routes(world), lifespan=lifespan, middleware=[Middleware(GZipMiddleware, minimum_size=10)])


def fastapi_app(world: World) -> Any:
    return FastAPI(routes=routes(world), lifespan=lifespan)


FRAMEWORKS = {"starlette": starlette_app, "fastapi": fastapi_app}

MULTIPART = (
    b'--cut\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n\x00\xff\x01\r\n--cut--\r\n'
)
CHUNKED = b"POST /chunks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
EARLY = b"POST /early HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
FORM = b"content-type: application/x-www-form-urlencoded"
GZIP = b"accept-encoding: gzip"

WORLD: World = {"total": 20, "second": "b", "status": 413}

REQUESTS: dict[str, tuple[bytes, ...]] = {
    "json": (raw_request(b"GET /orders/42"),),
    "gzipped json": (raw_request(b"GET /orders/42", b"", GZIP),),
    "form": (raw_request(b"POST /form", b"note=1&password=hunter2", FORM),),
    "multipart": (raw_request(b"POST /form", MULTIPART, b"content-type: multipart/form-data; boundary=cut"),),
    "binary": (raw_request(b"POST /echo", bytes(range(256))),),
    "large": (raw_request(b"POST /echo", b"x" * 300_000),),
    "chunked": (CHUNKED, b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"),
    "stream": (raw_request(b"GET /streamed"),),
    "gzipped stream": (raw_request(b"GET /streamed", b"", GZIP),),
    "background": (raw_request(b"GET /background"),),
    "task left behind": (raw_request(b"GET /left_task"),),
    "state": (raw_request(b"GET /state"),),
    "file": (raw_request(b"GET /file"),),
    "head": (raw_request(b"HEAD /file"),),
    "empty": (raw_request(b"GET /empty"),),
    "mount": (raw_request(b"POST /sub/echo", b"mounted"),),
    "not found": (raw_request(b"GET /nothing"),),
    "redirect": (raw_request(b"GET /sub"),),
    "cookies and odd bytes": (raw_request(b"GET /cookies?a=%C3%28", b"", b"cookie: sid=s3cr3t", b"x-name: \xe9"),),
    "exception": (raw_request(b"GET /fails"),),
    "body not read": (raw_request(b"POST /empty", b"never read"),),
    "early answer": (EARLY + b"5\r\nfirst\r\n",),
    "not modified": (raw_request(b"GET /unchanged"),),
    "head of json": (raw_request(b"HEAD /orders/42"),),
    "events": (raw_request(b"GET /events"),),
    "two cookies": (raw_request(b"GET /two_cookies"),),
    "host": (raw_request(b"GET /orders/7").replace(b"shop.test", b"api.shop.test"),),
    "instrumented sub-application": (raw_request(b"GET /api/orders/9"),),
    "path, query and cookie of any byte": (
        raw_request(b"GET /raw/%FF%00%F0%9F%98%84?a=%C3%28&b=%FF", b"", b"cookie: a=\x80", b"x-name: \xe9\xff"),
    ),
}


@cache
def recordings(framework: str) -> dict[str, Exchange]:
    """Of all requests, on one server."""
    return dict(zip(REQUESTS, record_all(FRAMEWORKS[framework], *REQUESTS.values()), strict=True))


def record_on(build: Callable[[World], Any], *pieces: bytes) -> Exchange:
    return record_all(build, pieces)[0]


def record_all(build: Callable[[World], Any], *requests: tuple[bytes, ...]) -> list[Exchange]:
    """As a cassette gives them back: redacted, written and read."""
    tape = MemoryTape()
    world = {**WORLD, "done": []}
    with recording(tape), serving(OpenTelemetryMiddleware(build(world), tracer_provider=Telemetry().provider)) as port:
        for pieces in requests:
            talk(port, *pieces)
    exchanges = [exchange_of(captured, Redactor()) for captured in tape.captured]
    return [replace(each, request=stored(each.request), result=stored(each.result)) for each in exchanges]


def stored(payload: Any) -> Any:
    return values.decode(json.loads(values.dumps(payload)))


def replay_on(build: Callable[[World], Any], exchange: Exchange, **world: Any) -> tuple[Exchange, World]:
    tape, state = MemoryTape(), {**WORLD, "done": [], **world}
    headers = [(b"traceparent", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01")]

    def entering(sent: Exchange) -> Exchange:
        state["done"].append("entered")
        return sent

    with recording(tape):
        app = OpenTelemetryMiddleware(build(state), tracer_provider=Telemetry().provider)
        ENTRY.run(app, segment_of(exchange), exchange, headers, entering)
    (captured,) = tape.captured
    return exchange_of(captured), state


def paths(comparison: Comparison) -> list[str]:
    return [each.path for each in comparison.differences]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_recorded_request_replays_the_same(name: str, framework: str) -> None:
    recorded = recordings(framework)[name]
    replayed, _ = replay_on(FRAMEWORKS[framework], recorded)
    assert ENTRY.compare(recorded, replayed).differences == ()
    assert ENTRY.outcome(replayed).fields["status"] == ENTRY.outcome(recorded).fields["status"]
    if name != "redirect" and recorded.redacted == ():
        assert len(body_of(replayed.result)) == len(body_of(recorded.result))


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("name", "world", "expected"),
    [
        ("json", {"total": 21}, {"body.$.total": (20, 21)}),
        ("gzipped json", {"total": 21}, {"body.$.total": (20, 21)}),
        ("form", {"total": 21}, {"body.$.total": (20, 21)}),
        ("multipart", {"total": 21}, {"body.$.total": (20, 21)}),
        ("stream", {"total": 21}, {f"body.line[{n + 1}]": (f"20 {n}", f"21 {n}") for n in range(4)}),
        ("events", {"total": 21}, {"body.line[5]": ("data: 20", "data: 21")}),
        ("exception", {"total": 21}, {"exception.message": ("'total 20'", "'total 21'")}),
        ("early answer", {"status": 400}, {"status": (413, 400)}),
        ("not modified", {"total": 21}, {"headers.etag": ('"20"', '"21"')}),
        ("two cookies", {"second": "c"}, {"headers.set-cookie[1]": ("tab=; Path=/b", "tab=; Path=/c")}),
        ("host", {"total": 21}, {"body.$.total": (20, 21)}),
        ("instrumented sub-application", {"total": 21}, {"body.$.total": (20, 21)}),
    ],
)
def test_r37_r22_what_has_changed_is_exactly_that_difference(
    name: str, world: World, expected: dict[str, Any], framework: str
) -> None:
    recorded = recordings(framework)[name]
    replayed, _ = replay_on(FRAMEWORKS[framework], recorded, **world)
    found = ENTRY.compare(recorded, replayed).differences
    assert {each.path: (each.recorded, each.replayed) for each in found} == expected


def test_r22_a_second_cookie_that_is_gone_is_exactly_that_difference() -> None:
    recorded = recordings("starlette")["two cookies"]
    replayed, _ = replay_on(starlette_app, recorded)
    pairs = [pair for pair in replayed.result["headers"] if pair[1] != b"tab=; Path=/b"]  # type: ignore[union-attr,index]
    changed = replace(replayed, result={**replayed.result, "headers": pairs})
    assert paths(ENTRY.compare(recorded, changed)) == ["headers.set-cookie[1]"]


def test_r44_compressed_bodies_stand_as_they_left_and_bodies_that_are_none_stay_none() -> None:
    packed = recordings("starlette")["gzipped json"].result
    assert [b"content-encoding", b"gzip"] in packed["headers"]  # type: ignore[operator]  # pairs
    assert json.loads(gzip.decompress(body_of(packed))) == {"id": "42", "total": 20}
    for name in ("head", "empty", "not modified"):
        assert body_of(recordings("starlette")[name].result) == b""
    assert body_of(recordings("starlette")["chunked"].request) == b"firstsecond"


def test_r21_bytes_that_are_not_utf_8_are_sent_again_as_they_were() -> None:
    recorded = recordings("starlette")["path, query and cookie of any byte"]
    replayed, _ = replay_on(starlette_app, recorded)
    assert replayed.request["raw_path"] == b"/raw/%FF%00%F0%9F%98%84"
    assert replayed.request["query_string"] == b"a=%C3%28&b=%FF"
    assert [b"x-name", b"\xe9\xff"] in replayed.request["headers"]  # type: ignore[operator]  # pairs
    assert body_of(replayed.result) == body_of(recorded.result)


def test_r40_a_large_body_replays_the_same_whatever_the_limits_of_the_replaying_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What went to disk when it was recorded is in memory now, the request's and the answer's."""
    recorded = record_on(starlette_app, raw_request(b"POST /echo", b"\0\1" * MIB))
    monkeypatch.setenv("TIMETRACER_PAYLOAD_MAX", "1MiB")
    monkeypatch.setenv("TIMETRACER_IN_FLIGHT_MAX", "1MiB")
    replayed, _ = replay_on(starlette_app, recorded)
    assert len(body_of(replayed.result)) == 2 * MIB
    assert ENTRY.compare(recorded, replayed).differences == ()
    assert (tap.payload_max_bytes, lending.budget.max_bytes) == (MIB, MIB)


def test_r40_an_answer_that_has_become_endless_is_cut_and_deviates() -> None:
    recorded = record_on(starlette_app, raw_request(b"GET /orders/42"))

    async def endless(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(80):
            await send({"type": "http.response.body", "body": b"\0" * MIB, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    replayed, _ = replay_on(lambda world: endless, recorded)
    (body,) = [each for each in ENTRY.compare(recorded, replayed).differences if each.path == "body"]
    assert body.replayed == f"{80 * MIB} bytes, not kept (limit)"


def test_a_fixed_failure_deviates_in_status_and_exception() -> None:
    recorded = recordings("starlette")["exception"]

    def fixed(world: World) -> Any:
        return Starlette(routes=[Route("/fails", endpoints(world)["order"])])

    replayed, _ = replay_on(fixed, recorded)
    found = ENTRY.compare(recorded, replayed)
    assert paths(found)[:1] == ["status"]
    assert (found.differences[0].recorded, found.differences[0].replayed) == (500, 200)
    assert {"exception.type", "exception.message"} <= set(paths(found))


def test_the_outcome_is_what_the_report_prints() -> None:
    fields: Any = ENTRY.outcome(recordings("starlette")["gzipped json"]).fields
    assert (fields["status"], fields["body"]) == (200, {"id": "42", "total": 20})
    assert ["content-encoding", "gzip"] in fields["headers"] or fields["body"]
    failed: Any = ENTRY.outcome(recordings("starlette")["exception"]).fields
    assert failed["status"] == 500
    assert failed["exception"]["type"] == "builtins.KeyError"
    assert failed["exception"]["message"] == "'total 20'"
    assert failed["exception"]["frame"].endswith(" fails")
    assert values.dumps(failed)


def test_r37_minted_fields_are_listed_and_not_compared() -> None:
    recorded = recordings("starlette")["cookies and odd bytes"]
    replayed, _ = replay_on(starlette_app, recorded)
    found = ENTRY.compare(recorded, replayed)
    assert found.differences == ()
    assert "headers.set-cookie[1]" in [each.path for each in found.ignored]
    recorded = recordings("starlette")["json"]
    replayed, _ = replay_on(starlette_app, recorded)
    assert [each.path for each in ENTRY.compare(recorded, replayed).ignored] == ["headers.x-request-id"]


def test_the_app_is_entered_once_between_start_up_and_request() -> None:
    recorded = recordings("starlette")["background"]
    _, world = replay_on(starlette_app, recorded)
    assert world["done"] == ["entered", "later"]


def test_r19_a_task_left_behind_is_waited_for() -> None:
    recorded = recordings("starlette")["task left behind"]
    _, world = replay_on(starlette_app, recorded)
    assert world["done"] == ["entered", "left"]


def test_redacted_values_of_the_request_are_sent_as_they_are() -> None:
    recorded = recordings("starlette")["cookies and odd bytes"]
    replayed, _ = replay_on(starlette_app, recorded)
    assert body_of(replayed.result).startswith(b"it holds [redacted:cookie#")
    found = ENTRY.compare(recorded, replayed)
    assert ("body.line[1]", SENT_REDACTED) in [(each.path, each.reason) for each in found.ignored]
    odd = replace(replayed, result={**replayed.result, "body": [[0, body_of(replayed.result)[1:]]]})
    assert paths(ENTRY.compare(recorded, odd)) == ["body.line[1]"]


def test_a_client_that_left_in_the_middle_of_a_stream_leaves_again() -> None:
    tape = MemoryTape()
    world: World = {"total": 20, "done": []}
    with (
        recording(tape),
        serving(OpenTelemetryMiddleware(starlette_app(world), tracer_provider=Telemetry().provider)) as port,
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(raw_request(b"GET /endless"))
            received = b""
            while received.count(b"data:") < 5:
                received += connection.recv(1000)
        while not (tape.closes and tape.closes[-1].closed_ns):
            time.sleep(0.005)
    recorded = exchange_of(tape.captured[0])
    assert isinstance(recorded.result["disconnected_ns"], int)
    replayed, _ = replay_on(starlette_app, recorded)
    assert ENTRY.compare(recorded, replayed).differences == ()
    assert body_of(replayed.result).count(b"data:") >= 5


def test_a_bare_app_replays_the_same() -> None:
    async def bare(scope: Message, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "no lifespan here"
        message = await receive()
        await send({"type": "http.response.start", "status": 299, "headers": ((b"X-Odd", b"\xff"),)})
        await send({"type": "http.response.body", "body": message["body"][::-1]})

    recorded = record_on(lambda world: bare, raw_request(b"POST /", b"abc"))
    replayed, _ = replay_on(lambda world: bare, recorded)
    assert body_of(recorded.result) == b"cba"
    assert ENTRY.compare(recorded, replayed) == Comparison()


# ---- what cannot be replayed -----------------------------------------------------------------------------------------


def unplayable(**request: Any) -> Exchange:
    return Exchange(
        "p-7", "http.server", Signature("asgi", "GET", "/"), request, {}, dropped={"reason": "limit", "size": 1}
    )


@pytest.mark.parametrize(
    ("app", "exchange", "line"),
    [
        (3, unplayable(type="http"), "app: int is no ASGI application; name one as module:attribute"),
        (print, unplayable(type="websocket"), "p-7: the conversation was not kept (limit); record it again"),
        (print, unplayable(), "p-7: the request was not kept (limit); record it again"),
        (
            print,
            unplayable(type="http"),
            "exchange p-7: not a readable cassette: request.scheme is missing; fetch or record it again",
        ),
        (
            print,
            unplayable(type="http", body_dropped="limit", body_size=9),
            "p-7: the request's body of 9 bytes was not kept (limit); raise TIMETRACER_PAYLOAD_MAX and record it again",
        ),
    ],
)
def test_what_cannot_be_replayed_is_one_line(app: Any, exchange: Exchange, line: str) -> None:
    with pytest.raises(TimetracerError) as caught:
        ENTRY.run(app, segment_of(exchange), exchange, (), lambda sent: sent)
    assert str(caught.value) == line


def test_what_is_damaged_is_told_where_secrets_are_supplied_too() -> None:
    with pytest.raises(DamagedCassette, match=r"request\.headers is not"):
        ENTRY.supplied(unplayable(type="http", headers=[3]), lambda text, is_json: text)


def test_work_after_the_response_is_waited_for_as_long_as_it_took() -> None:
    exchange = Exchange("1", "http.server", Signature("asgi", "GET", "/"), {}, {}, at_ns=0, duration_ns=1_000_000_000)
    spans = (
        Span("2" * 16, "GET /", "SERVER", 10**18, 10**18 + 1_000_000_000),
        Span("4" * 16, "later", "INTERNAL", 10**18, 10**18 + 6_000_000_000, parent_id="2" * 16),
    )
    segment = segment_of(exchange)
    assert _rest_s(segment, exchange) == 2.0
    assert _rest_s(replace(segment, spans=spans), exchange) == 7.0
    endless = replace(spans[1], end_ns=10**18 + 10**12)
    assert _rest_s(replace(segment, spans=(spans[0], endless)), exchange) == 30.0
