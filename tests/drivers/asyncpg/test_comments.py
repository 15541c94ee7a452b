"""What OpenTelemetry writes into statements takes no part in matching; what the application writes does."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest

from tests.drivers.asyncpg.here import record_here, replay_here
from tests.drivers.asyncpg.scenarios import connected, errors_of
from tests.servers.postgres import PostgresServer

SPAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TAILS = ("", f" /*traceparent='{SPAN}'*/", " /*db_driver='asyncpg',traceparent='00-1-2-00',tracestate='a%3Db'*/")


async def asks(dsn: str, tail: str = "", hint: str = "") -> Sequence[Any]:
    """By every kind of request that carries a statement."""
    async with connected(dsn) as connection:
        given = await errors_of(
            connection.execute(f"select {hint} 1{tail}"),
            connection.fetch(f"select {hint} $1::int{tail}", 7),
            connection.fetchval(f"select {hint} 2 union select 3 order by 1{tail}"),
            connection.executemany(f"select {hint} $1::int8{tail}", [(1,), (2,)]),
        )
        async with connection.transaction():
            cursor = f"select {hint} generate_series(1, 3){tail}"
            return [*given, *await errors_of(_read(connection, cursor))]


async def _read(connection: Any, statement: str) -> Any:
    return [row async for row in connection.cursor(statement)]


@pytest.mark.parametrize("tail", TAILS)
def test_r36_comments_of_opentelemetry_take_no_part(postgres: PostgresServer, tail: str) -> None:
    recorded = record_here(functools.partial(asks, tail=tail), postgres.dsn)
    for other in TAILS:
        found = replay_here(functools.partial(asks, tail=other), recorded.exchanges, recorded.connections)
        assert (found.given, found.misses, found.is_used_up) == (recorded.given, [], True)


def test_r36_hints_and_comments_of_the_app_itself_count(postgres: PostgresServer) -> None:
    recorded = record_here(functools.partial(asks, hint="/*+ SeqScan(t) */"), postgres.dsn)
    for hint in ("", "/*+ IndexScan(t) */"):
        found = replay_here(functools.partial(asks, hint=hint), recorded.exchanges, recorded.connections)
        assert len(found.misses) == 5
        assert all("InternalServerError" in each for each in found.given)
