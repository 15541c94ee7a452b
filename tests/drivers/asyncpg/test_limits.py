"""`fetchrow` and `fetchval` ask for one row, and the server stops there: nobody knows whether there was another."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from tests.drivers.asyncpg.here import record_here, replay_here
from tests.servers.postgres import PostgresServer

THREE = "select n from generate_series(1, 3) as n"
NONE = "select 1 where false"


async def asks(dsn: str, *, how: str, sql: str = THREE) -> Sequence[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return [await getattr(connection, how)(sql)]
    except asyncpg.PostgresError as error:
        return [str(error)]
    finally:
        await connection.close()


@pytest.mark.parametrize("how", ["fetchrow", "fetchval"])
def test_rows_beyond_the_one_that_was_asked_for_are_refused(postgres: PostgresServer, how: str) -> None:
    recorded = record_here(functools.partial(asks, how=how), postgres.dsn)
    found = replay_here(functools.partial(asks, how="fetch"), recorded.exchanges, recorded.connections)
    assert "more rows are asked for than were read when it was recorded" in found.given[0]
    assert found.misses == [THREE]


def test_one_row_of_all_that_were_read_is_known(postgres: PostgresServer) -> None:
    recorded = record_here(functools.partial(asks, how="fetch"), postgres.dsn)
    found = replay_here(functools.partial(asks, how="fetchrow"), recorded.exchanges, recorded.connections)
    assert (found.given, found.misses) == (["<Record n=1>"], [])


def test_that_there_was_no_row_is_known(postgres: PostgresServer) -> None:
    recorded = record_here(functools.partial(asks, how="fetchrow", sql=NONE), postgres.dsn)
    program = functools.partial(asks, how="fetch", sql=NONE)
    found = replay_here(program, recorded.exchanges, recorded.connections)
    assert (found.given, found.misses) == (["[]"], [])
