"""Trailers, which hypercorn sends by HTTP/2: recorded on a real server, run again without one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, TrailersReceived
from hypercorn.asyncio import serve
from hypercorn.config import Config
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

from tests.drivers.asgi.parts import MemoryTape, Message, Telemetry, exchange_of, recording
from tests.drivers.asgi.test_replay import paths, replay_on, stored
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.asgi.replay import ENTRY

TRAILERS = "http.response.trailers"


@contextlib.contextmanager
def hypercorn(app: Any) -> Iterator[int]:
    """The port of a real hypercorn in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind, config.loglevel = [f"fd://{listener.fileno()}"], "CRITICAL"
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[serve(app, config, shutdown_trigger=stop.wait)])
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()
        listener.detach()  # hypercorn has closed it


def ask(port: int) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The body and the trailers."""
    body, trailers, is_open = b"", [], True
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        http.initiate_connection()
        names = (
            (":method", "GET"),
            (":path", "/"),
            (":scheme", "http"),
            (":authority", "shop.test"),
            ("te", "trailers"),
        )
        http.send_headers(1, names, end_stream=True)
        while is_open:
            connection.sendall(http.data_to_send())
            for event in http.receive_data(connection.recv(64 * 1024)):
                if isinstance(event, DataReceived):
                    body += event.data
                elif isinstance(event, TrailersReceived):
                    trailers = [(bytes(name), bytes(value)) for name, value in event.headers]
                is_open = is_open and not isinstance(event, StreamEnded)
    return body, trailers


def app(world: dict[str, Any]) -> Any:
    async def trailed(scope: Message, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "no lifespan here"
        has_trailers = TRAILERS in scope["extensions"]
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": has_trailers})
        await send({"type": "http.response.body", "body": b"total"})
        if has_trailers:
            sums = [(b"x-sum", str(world["total"]).encode()), (b"x-sum", b"second"), (b"x-token", b"s3cr3t-s3cr3t")]
            await send({"type": TRAILERS, "headers": sums})

    return trailed


@pytest.fixture(scope="module")
def recorded() -> Exchange:
    tape = MemoryTape()
    with (
        recording(tape),
        hypercorn(OpenTelemetryMiddleware(app({"total": 20}), tracer_provider=Telemetry().provider)) as port,
    ):
        assert ask(port) == (b"total", [(b"x-sum", b"20"), (b"x-sum", b"second"), (b"x-token", b"s3cr3t-s3cr3t")])
    exchange = exchange_of(tape.captured[0])
    return replace(exchange, request=stored(exchange.request), result=stored(exchange.result))


def test_trailers_replay_the_same(recorded: Exchange) -> None:
    replayed, _ = replay_on(app, recorded)
    assert recorded.result["trailers"] == replayed.result["trailers"]
    assert ENTRY.compare(recorded, replayed).differences == ()


def test_a_changed_trailer_is_exactly_that_difference(recorded: Exchange) -> None:
    replayed, _ = replay_on(app, recorded, total=21)
    assert paths(ENTRY.compare(recorded, replayed)) == ["trailers.x-sum[0]"]
