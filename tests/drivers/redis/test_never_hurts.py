"""The same program with the taps in and without them: results, errors, bytes sent, spans at another exporter."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
import redis.asyncio
from opentelemetry import trace
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.drivers.redis.sync_scenarios import IMPATIENT
from tests.drivers.redis.taping import taps
from tests.servers.proxy import RecordingProxy
from tests.servers.redis import RedisServer
from timetracer_otel.capture import guard
from timetracer_otel.drivers.redis import connecting, hooks, tracking, wires

HOOKS = [
    *((hooks, name) for name in ("packed", "sending", "sent", "unsent", "answered", "disconnected", "hush", "resume")),
    (hooks, "looked"),
    (connecting, "failed"),
    (wires, "listen"),
    (wires, "listen_async"),
    (tracking.Tracked, "heard"),
]
NOWHERE = "redis://127.0.0.1:1/0"


@dataclass
class Seen:
    given: str
    sent: list[bytes]
    spans: list[str]


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    instrumentor = RedisInstrumentor()
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    yield memory
    instrumentor.uninstrument()


def run(server: RedisServer, exporter: InMemorySpanExporter, program: Callable[[str], Any]) -> Seen:
    server.command("FLUSHALL")
    exporter.clear()
    proxy = RecordingProxy(server.port)
    with trace.use_span(trace.INVALID_SPAN):
        given = program(f"redis://127.0.0.1:{proxy.port}")
    proxy.stop()
    sent = sorted(bytes(connection) for connection in proxy.sent)
    return Seen(repr(given).replace(str(proxy.port), "PORT"), sent, [s.name for s in exporter.get_finished_spans()])


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except redis.exceptions.RedisError as error:
        return type(error), str(error)


def synchronous(url: str) -> Any:
    client: Any = redis.Redis.from_url(url, health_check_interval=3600)
    alone: Any = redis.Connection
    words = ["set by the app"]
    saw = [
        client.set("k", memoryview(b"view")),
        client.get("k"),
        client.rpush("l", *words),
        client.pipeline().incr("n").get("n").execute(),
        client.pipeline(transaction=False).get("n").lpush("k", 1).execute(raise_on_error=False)[0],
        outcome(lambda: client.incr("k")),
        outcome(lambda: hasty(url).blpop("never")),
        outcome(lambda: redis.Redis.from_url(NOWHERE, **IMPATIENT).get("k")),
        outcome(lambda: alone(port=1, **IMPATIENT).send_command("GET", "k")),
        words,
    ]
    listener = client.pubsub()
    listener.subscribe("c")
    saw += [listener.get_message(timeout=60)]
    client.publish("c", "hello")
    saw += [listener.get_message(timeout=60)]
    saw += [client.execute_command("CLIENT KILL", "TYPE", "pubsub"), outcome(lambda: listener.get_message(timeout=60))]
    listener.close()
    client.close()
    return saw


def hasty(url: str) -> Any:
    """Only once it is connected: how long that takes depends on who else is at work."""
    client: Any = redis.Redis.from_url(url, socket_timeout=60, **IMPATIENT)
    connection = client.connection_pool.get_connection()
    connection._sock.settimeout(0.05)
    client.connection_pool.release(connection)
    return client


def asynchronous(url: str) -> Any:
    async def program() -> Any:
        # With a time-out the client waits for its own sending, and Python 3.11 may lose our cancelling there.
        client: Any = redis.asyncio.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None)
        saw = [await client.set("k", b"v"), await client.get("k"), await client.pipeline().incr("n").execute()]
        try:
            await asyncio.wait_for(client.blpop("never", timeout=30), 0.05)
        except asyncio.TimeoutError:
            saw += [await client.get("k")]
        try:
            await client.incr("k")
        except redis.exceptions.ResponseError as error:
            saw += [str(error)]
        await client.connection_pool.disconnect()
        return saw

    return asyncio.run(program())


@pytest.mark.parametrize("program", [synchronous, asynchronous])
def test_r12_taps_change_nothing(server: RedisServer, exporter: InMemorySpanExporter, program: Any) -> None:
    plain = run(server, exporter, program)
    with taps() as tape:
        tapped = run(server, exporter, program)
    assert tapped == plain
    assert tape.names[:2] == ["SET", "GET"]
    assert not {"HELLO", "AUTH", "SELECT"} & set(tape.names)


@pytest.mark.parametrize(("owner", "name"), HOOKS, ids=[name for _, name in HOOKS])
def test_a_tap_that_raises_costs_its_exchange_and_nothing_else(
    server: RedisServer, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    of_one = {"listen_async": (asynchronous,), "listen": (synchronous,), "looked": (synchronous,)}
    programs = of_one.get(name, PROGRAMS)
    plain = [run(server, exporter, each) for each in programs]

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("of the tap")

    monkeypatch.setattr(owner, name, broken)
    guard.failures.clear()
    with taps(strict=False):
        tapped = [run(server, exporter, each) for each in programs]
    assert tapped == plain
    assert guard.failures["redis"] > 0
    guard.failures.clear()


PROGRAMS = (synchronous, asynchronous)


def test_a_socket_that_is_listened_to_is_the_same_object_of_a_class_with_its_name(server: RedisServer) -> None:
    with taps():
        client: Any = redis.Redis(port=server.port, single_connection_client=True)
        client.ping()
        sock = client.connection._sock
        assert isinstance(sock, socket.socket)
        assert (type(sock).__name__, type(sock).__module__) == ("socket", "socket")
        client.close()


def test_of_an_answer_that_is_too_large_nothing_stays_in_memory(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with taps() as tape:
        monkeypatch.setattr(tracking, "payload_max_bytes", 1000)
        client: Any = redis.Redis.from_url(server.url())
        client.set("k", b"x" * 100_000)
        assert len(client.get("k")) == 100_000
        client.close()
    captured = tape.captured[-1]
    assert captured.size > 100_000
    assert captured.result.chunks == []  # type: ignore[attr-defined]


def test_what_nobody_records_is_neither_copied_nor_kept() -> None:
    class Uncopied(bytearray):
        def __bytes__(self) -> bytes:
            raise AssertionError("it was copied")

    alone: Any = redis.Connection
    connection = alone()
    known = tracking.tracked_of(connection)
    known.heard(Uncopied(b"answer"))
    known.is_listening = True
    with pytest.raises(AssertionError):
        known.heard(Uncopied(b"answer"))
    hooks.packed(connection, [b"a batch"], 2)
    assert hooks.sending(connection, [b"a batch"]) is None
    assert known.packed is None
