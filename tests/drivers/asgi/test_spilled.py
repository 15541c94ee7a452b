"""Requests whose bodies go to disk, through the tap and the codec: nothing is lost, nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

from tests.drivers.asgi.parts import Client, MemoryTape, Message, Telemetry, call, exchange_of, http_scope, recording
from timetracer_otel.capture import guard
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Blob, Payload, Value
from timetracer_otel.config import KIB, MIB
from timetracer_otel.drivers.asgi import lending, masking
from timetracer_otel.drivers.asgi.compare import compare
from timetracer_otel.drivers.asgi.heard import HeardRequest, HeardResponse
from timetracer_otel.drivers.asgi.noise import REDACTED
from timetracer_otel.drivers.base import Ignored
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor

PIECE = b"\x07" * (64 * KIB)
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/png")]}
UPLOAD = [(b"content-type", b"application/octet-stream")]
KEY = b"AKIAIOSFODNN7EXAMPLE"


def answer(body: bytes = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def chunk(body: bytes = b"", more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.fixture
def disk() -> Iterator[MemoryTape]:
    tape = MemoryTape(has_disk=True)
    with recording(tape):
        yield tape


def traced(app: Any) -> Any:
    return OpenTelemetryMiddleware(app, tracer_provider=Telemetry().provider)


async def streaming(scope: Message, receive: Any, send: Any) -> None:
    await send(START)
    for _ in range(40):
        await send(answer(PIECE, more=True))
    await send(answer())


async def endless(scope: Message, receive: Any, send: Any) -> None:
    await send(START)
    for _ in range(40):
        await send(answer(PIECE, more=True))
    await asyncio.Event().wait()


def write(tape: MemoryTape) -> None:
    """The writer takes what waits for it."""
    for spill in tape.spills:
        spill.take()


def held(tape: MemoryTape) -> int:
    """Bytes in memory after everything was written, and let go."""
    write(tape)
    tape.captured.clear()
    tape.closes.clear()
    return lending.budget.held


def is_settled(tape: MemoryTape) -> bool:
    """No memory is held, and no file is waited for."""
    return held(tape) == 0 and all(spill.is_ended or spill.discards for spill in tape.spills)


# ---- recorded --------------------------------------------------------------------------------------------------------


def test_r40_a_large_answer_is_recorded_by_the_places_of_its_chunks(disk: MemoryTape) -> None:
    client = call(traced(streaming))
    assert client.body == PIECE * 40
    write(disk)
    assert [piece for _, piece in disk.result["body"]] == [
        Blob("0" * 64, at * len(PIECE), len(PIECE)) for at in range(40)
    ]
    assert (disk.result["body_size"], disk.result["ended"]) == (40 * len(PIECE), True)
    assert (disk.captured[0].dropped, disk.captured[0].complete) == (None, True)
    assert disk.sizes[0] < 40 * KIB
    assert is_settled(disk)


def test_r40_what_was_cut_has_its_size(disk: MemoryTape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timetracer_otel.drivers.asgi.tap.payload_max_bytes", 2 * MIB)
    call(traced(streaming))
    assert (disk.captured[0].dropped, disk.sizes) == ("limit", [40 * len(PIECE)])
    assert disk.spills[0].discards == 1
    assert is_settled(disk)


def test_a_body_that_did_not_reach_the_disk_makes_its_exchange_one_that_was_dropped(disk: MemoryTape) -> None:
    call(traced(streaming))
    disk.spills[0].take()
    disk.spills[0].reason = "free_min"
    assert disk.result["body_dropped"] == "free_min"
    assert (disk.captured[0].dropped, disk.captured[0].size) == ("free_min", 40 * len(PIECE))


def test_an_upload_that_goes_on_after_the_answer_is_whole_in_the_second_revision(disk: MemoryTape) -> None:
    seen: list[tuple[bool, Any]] = []

    async def early(scope: Message, receive: Any, send: Any) -> None:
        for _ in range(30):
            await receive()
        await send(START)
        await send(answer(b"thanks"))
        seen.append((disk.captured[0].complete, disk.request["body_dropped"]))
        for _ in range(11):
            await receive()

    upload = [chunk(PIECE, more=True)] * 40 + [chunk()]
    call(traced(early), http_scope(headers=UPLOAD), Client(upload))
    write(disk)
    assert seen == [(False, "open")]
    assert len(disk.closes) == 2
    assert (disk.captured[0].complete, len(disk.request["body"]), disk.request["ended"]) == (True, 40, True)
    assert disk.captured[0].dropped is None
    assert is_settled(disk)


# ---- nothing is left behind ------------------------------------------------------------------------------------------


def test_r40_a_request_that_is_cancelled_leaves_nothing_behind(disk: MemoryTape) -> None:
    async def cancelled() -> None:
        client = Client()
        task = asyncio.ensure_future(traced(endless)(http_scope(), client.receive, client.send))
        while len(client.sent) < 41:
            await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    write(disk)
    assert (len(disk.result["body"]), disk.result["ended"]) == (40, False)
    assert is_settled(disk)


def test_r40_a_client_that_leaves_leaves_nothing_behind(disk: MemoryTape) -> None:
    async def left(scope: Message, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    upload = [chunk(PIECE, more=True)] * 40 + [{"type": "http.disconnect"}]
    call(traced(left), http_scope(headers=UPLOAD), Client(upload))
    write(disk)
    assert (len(disk.request["body"]), disk.request["ended"]) == (40, False)
    assert is_settled(disk)


def test_r40_an_app_that_fails_leaves_nothing_behind(disk: MemoryTape) -> None:
    async def failing(scope: Message, receive: Any, send: Any) -> None:
        await send(START)
        for _ in range(40):
            await send(answer(PIECE, more=True))
        raise KeyError("total")

    with pytest.raises(KeyError):
        call(traced(failing))
    assert is_settled(disk)


def test_r40_a_request_that_its_server_forgets_leaves_nothing_behind(disk: MemoryTape) -> None:
    client = Client()
    requests = [traced(endless)(http_scope(), client.receive, client.send)]

    async def driven() -> None:
        while len(client.sent) < 41:
            requests[0].send(None)

    asyncio.run(driven())
    assert lending.budget.held > 2 * MIB
    failures = guard.counts()
    requests.clear()
    gc.collect()
    write(disk)
    assert disk.result["exception"]["cancelled"] is True
    assert guard.counts() == failures
    assert is_settled(disk)


def test_r40_a_recorder_that_wants_nothing_of_it_leaves_nothing_behind(disk: MemoryTape) -> None:
    call(traced(streaming))
    (spill,) = disk.spills
    disk.captured.clear()
    disk.closes.clear()
    gc.collect()
    assert spill.discards == 1
    assert is_settled(disk)


@pytest.mark.parametrize("method", ["write", "end", "discard", "blobs", "spill"])
def test_a_disk_that_fails_does_not_reach_the_app(
    method: str, disk: MemoryTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("our own fault")

    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(
        f"tests.drivers.asgi.parts.{'MemoryTape' if method == 'spill' else 'MemorySpill'}.{method}", broken
    )
    assert call(traced(streaming)).body == PIECE * 40
    write(disk)
    assert disk.result["status"] == 200
    assert held(disk) == 0


# ---- redacted --------------------------------------------------------------------------------------------------------


def stored(message: Payload, sizes: list[int], body_size: int) -> Payload:
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    blobs: list[Value] = [[0, Blob("0" * 64, start, size)] for start, size in zip(starts, sizes, strict=True)]
    return {**message, "body": blobs, "body_size": body_size}


def encoded(body_size: int, sizes: list[int]) -> Encoded:
    one = Captured("asgi", HeardRequest(http_scope(), (None,), 100))
    response = HeardResponse(0, 100)
    response.start({**START, "headers": [(b"Content-Length", b"%d" % body_size), (b"set-cookie", b"sid=s3cr3t")]})
    response.body.end()
    one.result = response
    from timetracer_otel.drivers.asgi.codec import CODEC

    whole = CODEC.encode(one)
    return Encoded(
        whole.type, whole.lib, whole.method, whole.url, whole.request, stored(whole.result, sizes, body_size)
    )


def test_a_stored_body_that_is_as_long_as_it_was_passes_untouched() -> None:
    one = encoded(1000, [600, 400])
    made, paths = masking.redact(one, Redactor())
    assert made.result["body"] is one.result["body"]
    assert paths == ("result.headers.set-cookie",)


def test_the_content_length_goes_with_a_stored_body_that_was_masked() -> None:
    made, paths = masking.redact(encoded(1000, [600, 412]), Redactor())
    headers: Any = made.result["headers"]
    assert headers[0] == [b"Content-Length", b"1012"]
    assert headers[1][1] != b"sid=s3cr3t"
    assert made.result["body_size"] == 1012
    assert paths == ("result.headers.set-cookie", "result.body")
    assert masking.redact(made, Redactor())[0].result == made.result


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 40))
def test_a_body_masked_as_a_stream_compares_with_the_same_body_masked_as_a_whole(
    before: bytes, after: bytes, step: int
) -> None:
    body = b"\0" + before + b" " + KEY + b" " + after
    scrubber = Redactor().stream()
    was = b"".join(scrubber.feed(body[at : at + step]) for at in range(0, len(body), step)) + scrubber.end()
    assert KEY not in was
    found = compare(_answered(was), _answered(body, Redactor()))
    assert found.differences == ()
    assert found.ignored[-1] == Ignored("body", REDACTED)


def _answered(body: bytes, redactor: Redactor | None = None) -> Any:
    one = Captured("asgi", HeardRequest(http_scope(), (None,), MIB))
    response = HeardResponse(0, MIB)
    response.start({**START, "headers": UPLOAD})
    response.body.hear(body)
    response.body.end()
    one.result, one.complete = response, True
    return exchange_of(one, redactor)
