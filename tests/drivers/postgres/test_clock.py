"""R45 for psycopg, sync and async: moments of the wall clock are found again, timeouts go by a clock that runs on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.promises.running import execute, only, record_script
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.postgres

PRODUCTION = "postgresql://app@db.prod.internal/postgres?sslmode=verify-full"
PROGRAM = """
import asyncio, datetime, sys, time
import psycopg
from opentelemetry import trace
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

INSERT = "insert into pg_temp.visits values (%s, %s) returning at = %s, now() > '2024-01-01'"
TABLE = "create temp table if not exists visits (at timestamptz, local timestamp)"

def moments():
    return datetime.datetime.now(datetime.timezone.utc), datetime.datetime.now()

def is_real(began):
    return 0.1 <= time.monotonic() - began < 20

def visit(pool):
    now, local = moments()
    with pool.connection() as connection:
        connection.execute(TABLE)
        row = connection.execute(INSERT, (now, local, now)).fetchone()
        psycopg.ClientCursor(connection).execute("insert into pg_temp.visits values (%s, %s)", moments())
        began = time.monotonic()
        try:
            pool.getconn(timeout=0.2)
        except PoolTimeout as error:
            full = type(error).__name__
    return row, full, is_real(began), type(now).__module__

async def visit_async(pool):
    now, local = moments()
    async with pool.connection() as connection:
        await connection.execute(TABLE)
        row = await (await connection.execute(INSERT, (now, local, now))).fetchone()
        began = time.monotonic()
        await asyncio.sleep(0.05)
        try:
            await asyncio.wait_for(connection.execute("select pg_sleep(30)"), 0.2)
        except (asyncio.TimeoutError, psycopg.Error) as error:
            late = type(error).__name__
    return row, late, is_real(began)

async def main(dsn):
    async with AsyncConnectionPool(dsn, min_size=1, max_size=1, open=False) as pool:
        with trace.get_tracer("script").start_as_current_span("visit"):
            with ConnectionPool(dsn, min_size=1, max_size=1, open=True) as other:
                seen = visit(other)
            return seen, await visit_async(pool)

print(repr(asyncio.run(main(sys.argv[1]))))
"""
ON_UVLOOP = "import uvloop\n" + PROGRAM.replace(
    "asyncio.run(main(sys.argv[1]))", "uvloop.new_event_loop().run_until_complete(main(sys.argv[1]))"
)


@pytest.mark.parametrize("program", [pytest.param(PROGRAM, id="asyncio"), pytest.param(ON_UVLOOP, id="uvloop")])
def test_r45_psycopg_is_given_moments_of_the_replay_and_its_timeouts_run_out(
    postgres: PostgresServer, tmp_path: Path, program: str
) -> None:
    printed = record_script(program, tmp_path / "cassettes", postgres.dsn)
    assert printed.startswith("(((True, True), 'PoolTimeout', True, 'datetime'), ((True, True), ")
    cassette, _ = only(tmp_path / "cassettes")
    found = execute(cassette.path, tmp_path, sys.executable, "-c", program, PRODUCTION)
    assert found.output.splitlines()[0] == printed.strip()
    assert (found.status, found.verdict) == (0, "same")
