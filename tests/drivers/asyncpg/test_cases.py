"""Cases of what must be right, for asyncpg: each recorded against a real server and replayed without one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.drivers.asyncpg.harness import record, replay
from tests.drivers.asyncpg.scenarios import connected
from tests.drivers.asyncpg.taping import taps
from tests.drivers.asyncpg.test_replay import PRODUCTION
from tests.promises.running import only
from tests.servers.postgres import PostgresServer


def test_r04_prepared_statements_stand_in_the_cassette_once_each(postgres: PostgresServer, tmp_path: Path) -> None:
    record("calls", postgres.dsn, tmp_path)
    _, segment = only(tmp_path)
    asked = [str(each.request["statement"]) for each in segment.exchanges]
    prepared = [each for each in asked if each.startswith("select name from t where id = any")]
    assert len(prepared) == 3  # fetch, fetchval, fetchrow


def test_r05_50_000_rows_of_a_cursor_are_one_exchange_and_replay(postgres: PostgresServer, tmp_path: Path) -> None:
    recorded = record("own_far", postgres.dsn, tmp_path)
    replayed = replay("own_far", PRODUCTION, tmp_path)
    assert (replayed.given, replayed.said, replayed.unused) == (recorded.given, (), ())
    assert replayed.given.startswith("(1250025000, ")
    assert len(replayed.recorded) == 6
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.zst")) < 2_000_000


def test_r05_50_000_rows_of_a_cursor_are_recorded_in_bounded_memory(postgres: PostgresServer, tmp_path: Path) -> None:
    recorded = record("own_far_and_wide", postgres.dsn, tmp_path)
    replayed = replay("own_far_and_wide", PRODUCTION, tmp_path)
    assert recorded.given == replayed.given == str(1250025000 + 50_000 * 200)
    assert (replayed.said, replayed.unused) == ((), ())
    assert recorded.failures == {}
    assert recorded.peak_mib < 300
    _, segment = only(tmp_path)
    (cursor,) = [each for each in segment.exchanges if each.request.get("portal")]
    assert (cursor.dropped, cursor.complete) == (None, True)
    results: Any = cursor.result["results"]
    assert results[0]["rows"] == 50_000


def test_r05_a_page_of_a_cursor_costs_the_recorder_no_work_by_the_row(postgres: PostgresServer) -> None:
    """Function calls of the recorder between two pages, counted: the same for pages of 10 and of 300 rows."""
    assert _calls_by_page(postgres.dsn, 10) == _calls_by_page(postgres.dsn, 300)


def _calls_by_page(dsn: str, size: int) -> float:
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event == "call" and "timetracer_otel" in frame.f_code.co_filename:
            calls += 1

    async def read() -> None:
        nonlocal calls
        async with connected(dsn) as connection, connection.transaction():
            cursor = await connection.cursor("select generate_series(1, 20000)")
            await cursor.fetch(size)
            sys.setprofile(count)
            for _ in range(5):
                await cursor.fetch(size)
            sys.setprofile(None)

    with taps():
        asyncio.run(read())
    return calls / 5


def test_r08_r11_statements_of_other_threads_are_there_and_suppressed_ones_are_not(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    recorded = record("own_elsewhere", postgres.dsn, tmp_path)
    replayed = replay("own_elsewhere", PRODUCTION, tmp_path)
    assert (replayed.given, replayed.said, replayed.unused) == (recorded.given, (), ())
    assert replayed.recorded == ("select 7 as seven, pg_sleep(0.1)::text",)
    _, segment = only(tmp_path)
    (exchange,) = [each for each in segment.exchanges if each.request.get("op") == "query"]
    assert 90_000_000 < exchange.duration_ns < 2_000_000_000


def test_r34_parallel_selects_get_their_own_answers_in_any_order(postgres: PostgresServer, tmp_path: Path) -> None:
    recorded = record("own_parallel", postgres.dsn, tmp_path)
    for seed in ("1", "2"):
        replayed = replay("own_parallel", PRODUCTION, tmp_path, SEED=seed)
        assert (replayed.given, replayed.said, replayed.unused) == (recorded.given, (), ())


@pytest.mark.parametrize(("first", "then"), [("warm", ("cold", "warm")), ("cold", ("warm",))])
def test_r06_what_a_pool_asks_by_itself_is_no_work_of_the_app(
    postgres: PostgresServer, tmp_path: Path, first: str, then: tuple[str, ...]
) -> None:
    recorded = record("own_pinged", postgres.dsn, tmp_path, HEAT=first)
    for heat in then:
        replayed = replay("own_pinged", PRODUCTION, tmp_path, HEAT=heat)
        assert (replayed.given, replayed.said, replayed.unused) == (recorded.given, (), ())
        if first == "warm":
            asked = ["BEGIN", "select", "ROLLBACK"] * 3 + ["BEGIN", "show", "COMMIT"] * 2
            assert [each.split()[0].strip(";") for each in replayed.recorded] == asked


def test_r34_ten_transactions_with_the_same_statements_stay_together_and_changed_tables_are_seen(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    recorded = record("numbered,changed", postgres.dsn, tmp_path)
    assert "[(100, (" in recorded.given
    assert "[<Record id=1>], [<Record id=1 name='x'>], [('InvalidCachedStatementError', " in recorded.given
    assert "<Record id=1 name='x' more=5>" in recorded.given
    for seed in ("1", "2"):
        replayed = replay("numbered,changed", PRODUCTION, tmp_path, SEED=seed)
        assert replayed.given == recorded.given  # each number with the row that was inserted with it
        assert {each["event"] for each in replayed.said} == {"ambiguous"}
        assert replayed.unused == ()
