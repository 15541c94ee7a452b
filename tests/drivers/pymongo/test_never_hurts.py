"""The same program with the taps in and without them: results, errors, bytes sent, spans at another exporter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.pymongo import CommandTracer, PymongoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pymongo import AsyncMongoClient, MongoClient, WriteConcern

from tests.drivers.pymongo.seeing import error_in, error_of
from tests.drivers.pymongo.taping import taps
from tests.servers.mongo import MongoServer
from tests.servers.proxy import RecordingProxy
from timetracer_otel.capture import guard
from timetracer_otel.drivers.pymongo import hooks, servers
from timetracer_otel.drivers.pymongo.names import SENSITIVE
from timetracer_otel.wire.mongo import bson
from timetracer_otel.wire.mongo.messages import MessageReader

HOOKS = [(hooks, name) for name in ("started", "sending", "received", "succeeded", "failed")] + [(servers, "facts")]
MINTED = (b"lsid", b"$clusterTime", b"txnNumber", b"getMore", b"cursors")
"""Fields that the driver makes anew for each message."""
UNTIMED = ("hello", "ismaster", "endSessions", "killCursors")
"""Commands that monitors and the garbage collector send."""
DOCUMENTS = [{"_id": number, "text": "x" * number} for number in range(20)]


@dataclass
class Seen:
    given: str
    sent: list[bytes]
    spans: list[str]


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Of a tracer that stands in for the one that the instrumentor took when it went in first."""
    instrumentor: Any = PymongoInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    tracer: CommandTracer = instrumentor._commandtracer_instance
    memory, provider, before = InMemorySpanExporter(), TracerProvider(), tracer._tracer
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer._tracer = provider.get_tracer("tests")
    yield memory
    tracer._tracer = before
    instrumentor.uninstrument()


def run(server: MongoServer, exporter: InMemorySpanExporter, program: Callable[[str], Any]) -> Seen:
    with MongoClient[Any](server.uri) as client:
        client.drop_database("app")
    exporter.clear()
    proxy = RecordingProxy(server.port)
    with trace.use_span(trace.INVALID_SPAN):
        given = program(f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true")
    proxy.stop()
    sent = sorted(each for connection in proxy.sent for each in commands(bytes(connection)))
    return Seen(repr(given), sent, [span.name for span in exporter.get_finished_spans()])


def commands(sent: bytes) -> Iterator[bytes]:
    for message in MessageReader().receive(sent):
        parts = list(bson.elements(message.document))
        if parts[0].text not in UNTIMED:
            yield bytes([message.flags & 255]) + bson.joined(part for part in parts if part.name not in MINTED)


def synchronous(uri: str) -> Any:
    with MongoClient[Any](uri) as client:
        things = client.app.things
        return [
            things.insert_many(DOCUMENTS).inserted_ids,
            list(things.find(batch_size=7).sort("_id", 1)),
            error_of(lambda: things.insert_one({"_id": 3}))[:1],
            things.update_many({}, {"$set": {"b": 1}}).modified_count,
            things.with_options(write_concern=WriteConcern(0)).delete_one({"_id": 1}).acknowledged,
            error_of(lambda: client.app.command("nonsense"))[:1],
        ]


def asynchronous(uri: str) -> Any:
    async def program() -> Any:
        async with AsyncMongoClient[Any](uri) as client:
            things = client.app.things
            inserted = await things.insert_many(DOCUMENTS)
            found = await things.find(batch_size=7).sort("_id", 1).to_list(None)
            return [inserted.inserted_ids, found, (await error_in(things.insert_one({"_id": 3})))[:1]]

    return asyncio.run(program())


@pytest.mark.parametrize("program", [synchronous, asynchronous])
def test_r12_taps_change_nothing(server: MongoServer, exporter: InMemorySpanExporter, program: Any) -> None:
    plain = run(server, exporter, program)
    with taps() as tape:
        tapped = run(server, exporter, program)
    assert tapped == plain
    assert tape.names[:2] == ["dropDatabase", "endSessions"]  # before the program
    events = [each.partition(".")[2] for each in tapped.spans]
    assert sorted(tape.names[2:]) == sorted(name for name in events if name.lower() not in SENSITIVE)


@pytest.mark.parametrize(("module", "name"), HOOKS)
def test_a_tap_that_raises_costs_its_exchange_and_nothing_else(
    server: MongoServer, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    plain = run(server, exporter, synchronous)

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("of the tap")

    monkeypatch.setattr(module, name, broken)
    guard.failures.clear()
    with taps(strict=False):
        tapped = run(server, exporter, synchronous)
    assert tapped == plain
    assert guard.failures["pymongo"] > 0
    guard.failures.clear()
