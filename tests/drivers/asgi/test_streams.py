"""Streams that end in odd ways or side by side: nothing of ours in the log, each query in its own cassette."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.drivers.asgi.parts import Client, MemoryTape, Message, Telemetry, exchange_of, http_scope
from timetracer_otel.capture import table
from timetracer_otel.capture.guard import counts

SPEC = {"version": "3.0", "spec_version": "2.4"}
"""Since which Starlette streams without a task group."""


async def stream(request: Request) -> Response:
    """Each chunk comes of a query, under a span of its own."""

    async def pieces() -> AsyncIterator[bytes]:
        tracer = trace.get_tracer("shop", tracer_provider=request.app.state.provider)
        for number in range(5):
            with tracer.start_as_current_span("query"):
                tape = table.tape()
                assert tape is not None
                asked = tape.open("psycopg", f"{request.url.path} {number}")
                await asyncio.sleep(0)
                if asked is not None:
                    tape.close(asked, None, 0)
                yield f"{number}\n".encode()

    return StreamingResponse(pieces())


def app(telemetry: Telemetry) -> Any:
    starlette = Starlette(routes=[Route("/{name}", stream)])
    starlette.state.provider = telemetry.provider
    return OpenTelemetryMiddleware(starlette, tracer_provider=telemetry.provider)


class Leaving(Client):
    """Is gone after three chunks."""

    async def send(self, message: Message) -> None:
        await super().send(message)
        if len([each for each in self.sent if each.get("body")]) == 3:
            raise OSError("gone")


@pytest.fixture
def ours(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "timetracer_otel")
    return caplog


def lines_of_ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("timetracer")]


def test_r20_two_streams_in_one_task_group_have_their_own_queries(
    tape: MemoryTape, telemetry: Telemetry, ours: pytest.LogCaptureFixture
) -> None:
    traced = app(telemetry)

    async def main() -> None:
        clients = [Client(), Client()]
        calls = (
            traced(http_scope(f"/{name}"), each.receive, each.send) for name, each in zip("ab", clients, strict=True)
        )
        await asyncio.gather(*calls)
        assert [each.body for each in clients] == [b"0\n1\n2\n3\n4\n"] * 2

    asyncio.run(main())
    asked = [(captured.request, owner) for captured, owner in zip(tape.captured, tape.owners, strict=True)]
    traces: dict[str, set[int]] = {}
    for request, owner in asked:
        context = owner.get_span_context()
        name = request if isinstance(request, str) else str(request.scope["path"])  # type: ignore[attr-defined]
        assert context is not None
        traces.setdefault(name[:2], set()).add(context.trace_id)
    assert set(traces) == {"/a", "/b"}
    assert all(len(ids) == 1 for ids in traces.values())
    assert len(asked) == 12
    assert lines_of_ours(ours) == []


def test_r20_a_client_that_leaves_after_three_chunks_costs_no_line_in_the_log(
    tape: MemoryTape, telemetry: Telemetry, ours: pytest.LogCaptureFixture
) -> None:
    client, failures = Leaving(), counts()

    async def main() -> None:
        scope = http_scope("/a", asgi=SPEC)
        with pytest.raises(Exception, match=r"gone|^$"):
            await app(telemetry)(scope, client.receive, client.send)

    asyncio.run(main())
    assert tape.captured[0].complete
    assert lines_of_ours(ours) == []
    assert counts() == failures


def test_r20_a_stream_that_is_closed_in_another_context_costs_no_line_in_the_log(
    tape: MemoryTape, telemetry: Telemetry, ours: pytest.LogCaptureFixture
) -> None:
    """A server that stops forgets its requests; whoever closes them does it in a context of his own."""
    client = Hanging()
    coroutine = app(telemetry)(http_scope("/a", asgi=SPEC), client.receive, client.send)
    failures = counts()
    contextvars.copy_context().run(_drive, coroutine)
    contextvars.copy_context().run(coroutine.close)
    assert client.body == b"0\n"
    assert _exception(tape)["cancelled"]
    assert lines_of_ours(ours) == []
    assert counts() == failures


class Hanging(Client):
    """Takes one chunk, and no more for ever."""

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message.get("body"):
            await Never()


class Never:
    def __await__(self) -> Any:
        yield


def _drive(coroutine: Any) -> None:
    """As far as it comes without a loop: `sleep(0)` of the stream, then the send that hangs."""
    for _ in range(2):
        coroutine.send(None)


def _exception(tape: MemoryTape) -> Any:
    return exchange_of(tape.captured[0]).result["exception"]
