"""Traces that run at once through one warm pool, with the same statements and different answers: each gets its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import asyncpg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.drivers.asyncpg.taping import taps
from tests.drivers.psycopg.replaying import Replayed, replaying
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.drivers.asyncpg.replay import REPLAYING
from timetracer_otel.replay.session import Session

TRACES = ("one", "two", "three", "four")
CALLS = 20
PRODUCTION = "postgresql://app@db.prod.example/postgres?sslmode=verify-full"

Seen: TypeAlias = Mapping[str, Sequence[Any]]


async def at_once(dsn: str, size: int, began: Callable[[str, int], None]) -> Seen:
    tracer = TracerProvider().get_tracer("tests")

    async def one(name: str, pool: Any) -> Sequence[Any]:
        with tracer.start_as_current_span(name) as span:
            began(name, span.get_span_context().trace_id)
            return [await _called(pool) for _ in range(CALLS)]

    async def _called(pool: Any) -> Any:
        async with pool.acquire() as connection:
            await connection.execute("select 1")
            return await connection.fetchval("select nextval('answers') + $1", 0)

    async with asyncpg.create_pool(dsn, min_size=size, max_size=size) as pool:
        found = await asyncio.gather(*(one(name, pool) for name in TRACES))
        return dict(zip(TRACES, found, strict=True))


def recorded(dsn: str) -> tuple[Seen, Mapping[str, list[Exchange]], list[Connection]]:
    """What each trace saw, and its exchanges."""
    asyncio.run(_sequence(dsn))
    exchanges: dict[str, list[Exchange]] = {name: [] for name in TRACES}
    names: dict[int, str] = {}
    with taps() as tape:
        traces: list[int] = []
        opened: Any = tape.open

        def remember(*args: Any) -> Any:
            traces.append(trace.get_current_span().get_span_context().trace_id)
            captured = opened(*args)
            captured.number = len(traces) - 1  # others are discarded meanwhile
            return captured

        vars(tape)["open"] = remember
        seen = asyncio.run(at_once(dsn, 3, lambda name, trace_id: names.__setitem__(trace_id, name)))
        for captured, exchange in zip(tape.captured, tape.exchanges, strict=True):
            if exchange.request["op"] != "prepare" and traces[captured.number] in names:
                exchanges[names[traces[captured.number]]].append(exchange)
    return seen, exchanges, tape.connections


async def _sequence(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("drop sequence if exists answers; create sequence answers")
    await connection.close()


def binding(replayed: Replayed) -> Callable[[str, int], None]:
    return lambda name, trace_id: replayed.bindings.bind(trace_id, replayed.sessions[name])


@pytest.mark.parametrize("size", [1, 3])
def test_concurrent_traces_get_their_own_answers(postgres: PostgresServer, size: int) -> None:
    seen, exchanges, connections = recorded(postgres.dsn)
    assert len({tuple(answers) for answers in seen.values()}) == len(TRACES)
    with replaying(exchanges, connections, REPLAYING) as replayed:
        again = asyncio.run(at_once(PRODUCTION, size, binding(replayed)))
    assert again == seen
    assert replayed.misses == []
    assert all(session.is_used_up for session in replayed.sessions.values())


def test_with_all_claims_for_the_newest_session_they_do_not(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without routing by trace the test above fails."""
    seen, exchanges, connections = recorded(postgres.dsn)

    def newest(self: Any, trace_id: int) -> Session:
        sessions: Any = self._sessions
        found: Session = next(reversed(sessions.values()), self.default)
        return found

    with replaying(exchanges, connections, REPLAYING) as replayed:
        monkeypatch.setattr(type(replayed.bindings), "of", newest)
        try:
            again = asyncio.run(at_once(PRODUCTION, 3, binding(replayed)))
        except asyncpg.PostgresError:
            again = {}
    assert again != seen
    assert replayed.misses
