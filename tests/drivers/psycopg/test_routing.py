"""Traces that run at once through one warm pool, with the same statements and different answers: each gets its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import psycopg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from tests.drivers.psycopg.replaying import Replayed, replaying
from tests.drivers.psycopg.taping import taps
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.replay.session import Session

TRACES = ("one", "two", "three", "four")
CALLS = 20
PRODUCTION = "postgresql://app@db.prod.example/postgres?sslmode=verify-full"

Seen: TypeAlias = Mapping[str, Sequence[Any]]
Run: TypeAlias = Callable[[str, int, Callable[[str, int], None]], Seen]


def in_threads(dsn: str, size: int, began: Callable[[str, int], None]) -> Seen:
    tracer = TracerProvider().get_tracer("tests")

    def one(name: str) -> Sequence[Any]:
        with tracer.start_as_current_span(name) as span:
            began(name, span.get_span_context().trace_id)
            return [_called(pool) for _ in range(CALLS)]

    def _called(pool: ConnectionPool[Any]) -> Any:
        with pool.connection() as connection:
            connection.execute("select %s::int", (1,))
            return connection.execute("select nextval('answers')").fetchone()

    with (
        ConnectionPool(dsn, min_size=size, max_size=size, open=True) as pool,
        ThreadPoolExecutor(len(TRACES)) as workers,
    ):
        pool.wait()
        return dict(zip(TRACES, workers.map(one, TRACES), strict=True))


def in_tasks(dsn: str, size: int, began: Callable[[str, int], None]) -> Seen:
    tracer = TracerProvider().get_tracer("tests")

    async def one(name: str, pool: AsyncConnectionPool[Any]) -> Sequence[Any]:
        with tracer.start_as_current_span(name) as span:
            began(name, span.get_span_context().trace_id)
            return [await _called(pool) for _ in range(CALLS)]

    async def _called(pool: AsyncConnectionPool[Any]) -> Any:
        async with pool.connection() as connection:
            await connection.execute("select %s::int", (1,))
            cursor = await connection.execute("select nextval('answers')")
            return await cursor.fetchone()

    async def all_of_them() -> Seen:
        async with AsyncConnectionPool(dsn, min_size=size, max_size=size, open=False) as pool:
            await pool.wait()
            found = await asyncio.gather(*(one(name, pool) for name in TRACES))
            return dict(zip(TRACES, found, strict=True))

    return asyncio.run(all_of_them())


def recorded(run: Run, dsn: str) -> tuple[Seen, Mapping[str, list[Exchange]], list[Connection]]:
    """What each trace saw, and its exchanges."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("drop sequence if exists answers")
        connection.execute("create sequence answers")
    exchanges: dict[str, list[Exchange]] = {name: [] for name in TRACES}
    names: dict[int, str] = {}
    with taps() as tape:
        span_traces = _remember_traces(tape)
        seen = run(dsn, 3, lambda name, trace_id: names.__setitem__(trace_id, name))
        for exchange, trace_id in zip(tape.exchanges, span_traces, strict=True):
            if trace_id in names:
                exchanges[names[trace_id]].append(exchange)
    return seen, exchanges, tape.connections


def _remember_traces(tape: Any) -> list[int]:
    from opentelemetry import trace

    traces: list[int] = []
    opened = tape.open

    def remember(*args: Any) -> Any:
        traces.append(trace.get_current_span().get_span_context().trace_id)
        return opened(*args)

    tape.open = remember
    return traces


def binding(replayed: Replayed) -> Callable[[str, int], None]:
    return lambda name, trace_id: replayed.bindings.bind(trace_id, replayed.sessions[name])


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("run", [in_threads, in_tasks])
def test_concurrent_traces_get_their_own_answers(postgres: PostgresServer, run: Run, size: int) -> None:
    seen, exchanges, connections = recorded(run, postgres.dsn)
    assert len({tuple(answers) for answers in seen.values()}) == len(TRACES)
    with replaying(exchanges, connections) as replayed:
        again = run(PRODUCTION, size, binding(replayed))
    assert again == seen
    assert replayed.misses == []
    assert all(session.is_used_up for session in replayed.sessions.values())


@pytest.mark.parametrize("run", [in_threads, in_tasks])
def test_with_all_claims_for_the_newest_session_they_do_not(
    postgres: PostgresServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without routing by trace the test above fails."""
    seen, exchanges, connections = recorded(run, postgres.dsn)

    def newest(self: Any, trace_id: int) -> Session:
        sessions: Any = self._sessions
        found: Session = next(reversed(sessions.values()), self.default)
        return found

    with replaying(exchanges, connections) as replayed:
        monkeypatch.setattr(type(replayed.bindings), "of", newest)
        try:
            again = run(PRODUCTION, 3, binding(replayed))
        except psycopg.Error:
            again = {}
    assert again != seen
    assert replayed.misses
