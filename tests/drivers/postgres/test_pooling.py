"""How long a request waited for a connection, and why, is in its cassette."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg_pool import ConnectionPool, PoolTimeout

from tests.drivers.psycopg.taping import taps
from tests.servers.postgres import PostgresServer
from timetracer_otel.capture import guard
from timetracer_otel.cassette import Acquire, Segment
from timetracer_otel.drivers.postgres import alchemy
from timetracer_otel.drivers.postgres.pooling import Asking
from timetracer_otel.drivers.psycopg.tracking import LIBRARY
from timetracer_otel.store.opening import open_cassette

ROOT = Path(__file__).resolve().parents[3]
MS = 1_000_000
GIVES_UP = {"psycopg_sync": "PoolTimeout", "psycopg_async": "PoolTimeout", "asyncpg_pool": "TimeoutError"}


def recorded(pool: str, dsn: str, store: Path, **variables: str) -> tuple[str, Segment]:
    """What the service printed, and the segment of its request."""
    inherited = {name: each for name, each in os.environ.items() if not name.startswith(("OTEL_", "TIMETRACER_", "PG"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.drivers.postgres.pool_children", pool, dsn],
        cwd=ROOT,
        env={**inherited, "TIMETRACER_STORE": str(store), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (trace,) = [folder.name for folder in store.iterdir() if len(folder.name) == 32]
    (segment,) = open_cassette(store, trace)[0].segments
    return done.stdout.strip(), segment


@pytest.mark.parametrize("pool", GIVES_UP)
def test_a_wait_for_a_connection_is_recorded_with_what_the_pool_was(
    postgres: PostgresServer, tmp_path: Path, pool: str
) -> None:
    given, segment = recorded(pool, postgres.dsn, tmp_path)
    assert given == f"['{GIVES_UP[pool]}', (7,), (7,)]"
    first, second, third = segment.pools
    assert (first.size, first.max_size, first.idle, first.waiting) == (1, 1, 1, 0)
    assert (second.size, second.idle, second.waiting) == (1, 0, 0)
    assert (third.size, third.idle, third.waiting) == (1, 0, 1)
    assert first.wait_ns < second.wait_ns
    assert (first.error, second.error, third.error) == (None, None, GIVES_UP[pool])
    assert third.wait_ns > 40 * MS
    assert {(each.driver, each.pool) for each in segment.pools} == {
        ("asyncpg", "") if pool == "asyncpg_pool" else ("psycopg", "shop")
    }


@pytest.mark.parametrize("pool", GIVES_UP)
def test_a_wait_names_the_connection_that_the_statements_then_name(
    postgres: PostgresServer, tmp_path: Path, pool: str
) -> None:
    _, segment = recorded(pool, postgres.dsn, tmp_path)
    numbers = {each.connection for each in segment.exchanges if "select" in str(each.request.get("statement"))}
    assert len(numbers) == 1
    assert [each.connection for each in _given(segment)] == [*numbers] * 2
    assert {each.span_id for each in segment.pools} == {segment.id}
    assert all(each.at_ns >= 0 for each in segment.pools)


def _given(segment: Segment) -> list[Acquire]:
    return [each for each in segment.pools if each.error is None]


@pytest.mark.parametrize(("pool", "driver"), [("alchemy_sync", "psycopg"), ("alchemy_asyncpg", "asyncpg")])
def test_a_wait_for_a_connection_of_sqlalchemy_is_recorded_too(
    postgres: PostgresServer, tmp_path: Path, pool: str, driver: str
) -> None:
    given, segment = recorded(pool, postgres.dsn, tmp_path)
    assert given.startswith("['TimeoutError', (7,), ")
    first, *others = segment.pools
    assert {(each.driver, each.pool, each.max_size) for each in segment.pools} == {(driver, "sqlalchemy", 1)}
    assert (first.size, first.idle, first.waiting, first.error) == (0, 0, 0, None)
    assert all(each.size == 1 for each in others)
    (given_up, *_) = [each for each in others if each.error is not None]
    assert (given_up.error, given_up.idle) == ("TimeoutError", 0)
    assert given_up.wait_ns > 40 * MS
    numbers = {each.connection for each in segment.exchanges if "select 7" in str(each.request.get("statement"))}
    assert {each.connection for each in _given(segment)} == numbers
    if driver == "asyncpg":
        assert max(each.waiting for each in others) == 1


def _of_one(dsn: str) -> ConnectionPool[psycopg.Connection[Any]]:
    return ConnectionPool(dsn, min_size=1, max_size=1)


def test_a_tap_of_a_pool_that_fails_hurts_nobody(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("ours")

    monkeypatch.setattr(Asking, "end", broken)
    before = guard.counts()[LIBRARY]
    with taps(strict=False) as tape, _of_one(postgres.dsn) as pool, pool.connection() as connection:
        assert connection.execute("select 7").fetchone() == (7,)
        with pytest.raises(PoolTimeout):
            pool.getconn(timeout=0.01)
    assert tape.acquires == []
    assert guard.counts()[LIBRARY] == before + 2


def test_a_pool_is_let_go_by_the_taps(postgres: PostgresServer) -> None:
    original = vars(ConnectionPool)["getconn"]
    with taps() as tape:
        assert vars(ConnectionPool)["getconn"] is not original
        with ConnectionPool(postgres.dsn, min_size=1, name="one") as pool, pool.connection():
            pass
    assert vars(ConnectionPool)["getconn"] is original
    (acquire,) = tape.acquires
    assert (acquire.pool, acquire.connection) == ("one", tape.connections[0].number)


def test_those_who_wait_are_counted_by_their_pool_and_forgotten_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def pool() -> Any:
        engine = sqlalchemy.create_engine("postgresql+psycopg://", poolclass=sqlalchemy.QueuePool)
        return engine.pool

    def waiting(of: Any, times: int) -> list[Asking]:
        return [asked for _ in range(times) if (asked := alchemy.asking(of)) is not None]

    monkeypatch.setitem(alchemy._numbers, "psycopg", lambda connection: 1)
    first, second = pool(), pool()
    of_first, of_second = waiting(first, 3), waiting(second, 1)
    assert [each.waiting for each in (*of_first, *of_second)] == [0, 1, 2, 0]
    for each in of_first:
        alchemy.refused(each, TimeoutError())
    assert [each.waiting for each in waiting(first, 1)] == [0]
    alchemy.refused(of_second[0], TimeoutError())
    before = len(alchemy._waiting)
    del second
    gc.collect()
    assert len(alchemy._waiting) == before - 1
