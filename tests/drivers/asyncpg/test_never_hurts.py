"""The same program with the taps in and without them: results, exceptions, bytes sent, spans at another exporter."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.drivers.asyncpg import failure_scenarios, scenarios
from tests.drivers.asyncpg.taping import taps
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import RecordingProxy
from timetracer_otel.capture import guard
from timetracer_otel.drivers.asyncpg import connecting, hooks

HOOKS = (
    "made",
    "preparing",
    "executing",
    "executing_many",
    "reading_on",
    "querying",
    "copying",
    "closing_portal",
    "closing_statement",
    "saying",
    "hearing",
    "done",
    "failed",
    "lost",
)


@dataclass
class Seen:
    given: str
    sent: list[bytes]
    spans: list[Any]


async def program(dsn: str) -> Any:
    """A bit of everything, whatever comes of it."""
    given = [await each(dsn) for each in (scenarios.values, scenarios.calls, scenarios.errors, scenarios.cursors)]
    return [*given, await scenarios.transactions(dsn), await copies(dsn)]


async def copies(dsn: str) -> Any:
    """COPY in and out, and statements that are pushed out of the cache."""
    async with scenarios.connected(dsn, statement_cache_size=2) as connection:
        await connection.execute("drop table if exists copied; create table copied (id int, name text)")
        await connection.copy_records_to_table("copied", records=[(n, f"n{n}") for n in range(100)])
        chunks: list[bytes] = []

        async def keep(data: bytes) -> None:
            chunks.append(data)

        await connection.copy_from_query("select * from copied order by id", output=keep)
        return chunks, [await connection.fetchval(f"select {number}") for number in range(5)]


@contextlib.contextmanager
def instrumentation() -> Iterator[InMemorySpanExporter]:
    """OpenTelemetry's instrumentor with an exporter that is not ours."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor: Any = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]  # it has no types
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    yield exporter
    instrumentor.uninstrument()


@pytest.fixture
def instrumented() -> Iterator[InMemorySpanExporter]:
    with instrumentation() as exporter:
        yield exporter


@pytest.fixture(scope="module")
def without(postgres: PostgresServer) -> Seen:
    """What the program sees, sends and traces without us."""
    with instrumentation() as exporter:
        return watch(postgres, exporter)


def watch(server: PostgresServer, exporter: InMemorySpanExporter) -> Seen:
    proxy = RecordingProxy(server.port)
    exporter.clear()
    asyncpg.connection._uid = 0  # names of statements count on through the process
    try:
        given = repr(asyncio.run(program(server.dsn.replace(str(server.port), str(proxy.port)))))
    finally:
        proxy.stop()
    spans = [_span(span, proxy.port) for span in exporter.get_finished_spans()]
    return Seen(given, [bytes(each) for each in proxy.sent], spans)


def _span(span: Any, port: int) -> Any:
    attributes = {name: value for name, value in span.attributes.items() if value != port}
    return span.name, span.kind, span.status.status_code, attributes, [event.name for event in span.events]


def test_r12_the_app_and_the_server_see_the_same_with_the_taps_in(
    postgres: PostgresServer, instrumented: InMemorySpanExporter, without: Seen
) -> None:
    with taps() as tape:
        within = watch(postgres, instrumented)
    assert within == without
    assert len(tape.asked()) > 50
    assert [each for each in tape.captured if not each.closed_ns] == []


@pytest.mark.parametrize("name", HOOKS)
def test_an_app_does_not_notice_a_hook_that_raises(
    postgres: PostgresServer,
    instrumented: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    without: Seen,
) -> None:
    monkeypatch.setattr(hooks, name, failing)
    before = guard.failures["asyncpg"]
    with taps(strict=False):
        within = watch(postgres, instrumented)
    assert within == without
    assert guard.failures["asyncpg"] > before  # so each hook is reached, and raises


@pytest.mark.parametrize("name", ["dialling", "failed"])
def test_an_app_does_not_notice_a_hook_of_connect_that_raises(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def program() -> Any:
        return await failure_scenarios.outcome(asyncpg.connect("postgresql://app@127.0.0.1:1/shop"))

    without = asyncio.run(program())
    monkeypatch.setattr(connecting, name, failing)
    before = guard.failures["asyncpg"]
    with taps(strict=False) as tape:
        assert asyncio.run(program()) == without
    assert guard.failures["asyncpg"] == before + 1
    assert [each for each in tape.captured if not each.closed_ns] == []


def failing(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("a hook failed")


async def _at_once(dsn: str) -> Any:
    async with scenarios.connected(dsn) as connection:
        calls = (connection.fetchval("select pg_sleep(0.1)"), connection.fetchval("select 2"))
        found = await asyncio.gather(*calls, return_exceptions=True)
        return [type(each).__name__ for each in found], await connection.fetchval("select 3")


async def _broken(dsn: str) -> Any:
    async with scenarios.connected(dsn) as other:
        connection = await asyncpg.connect(dsn)
        waiting = asyncio.ensure_future(connection.fetch("select pg_sleep(10)"))
        await asyncio.sleep(0.1)
        await other.fetchval("select pg_terminate_backend($1)", connection.get_server_pid())
        return await scenarios.errors_of(waiting), connection.is_closed()


@pytest.mark.parametrize("scenario", [_at_once, _broken, scenarios.timeouts])
def test_misuse_breaks_and_timeouts_are_the_same_with_the_taps_in(
    postgres: PostgresServer, scenario: Callable[[str], Any]
) -> None:
    without = asyncio.run(scenario(postgres.dsn))
    with taps() as tape:
        assert repr(asyncio.run(scenario(postgres.dsn))) == repr(without)
    assert [each for each in tape.captured if not each.closed_ns] == []
