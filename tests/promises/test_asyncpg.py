"""asyncpg from end to end: recorded under the launcher, the server stopped, replayed in a fresh process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.promises.conftest import database
from tests.promises.running import execute, only, record_script

pytestmark = pytest.mark.postgres

PRODUCTION = "postgresql://app@db.prod.internal/postgres?sslmode=verify-full"
SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, moods mood[], at timestamptz, price numeric);
INSERT INTO people (name, moods, at, price)
    VALUES ('Ann', '{ok}', '2024-02-29 12:30+02', 1.50), ('Bob', NULL, NULL, 'NaN');
"""
SCRIPT = """
import asyncio, sys
import asyncpg
from opentelemetry import trace

tracer = trace.get_tracer("script")

async def shop(dsn):
    seen = []
    async with asyncpg.create_pool(dsn, min_size=1, max_size=3) as pool:
        seen.append(await pool.fetch("SELECT * FROM people ORDER BY id"))
        seen += await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", number) for number in range(10)))
        async with pool.acquire() as connection:
            async with connection.transaction():
                await connection.executemany("INSERT INTO people (name, moods) VALUES ($1, $2)",
                                             [(f"p{n}", ["sad"]) for n in range(60)])
                seen.append([row async for row in connection.cursor("SELECT name, moods FROM people ORDER BY id")])
            try:
                await connection.execute("INSERT INTO people (name) VALUES ($1)", "Ann")
            except asyncpg.UniqueViolationError as error:
                seen.append((str(error), error.constraint_name, error.sqlstate))
            try:
                await connection.fetch("SELECT pg_sleep(30)", timeout=0.2)
            except asyncio.TimeoutError as error:
                seen.append(repr(error))
            seen.append(await connection.fetchrow("SELECT now() > '2024-01-01', random() < 2, count(*) FROM people"))
    return seen

async def main(dsn):
    with tracer.start_as_current_span("nightly"):
        return await shop(dsn)

print(repr(asyncio.run(main(sys.argv[1]))))
"""
UVLOOP = "import uvloop; uvloop.install()\n" if sys.version_info < (3, 12) else "import uvloop\n"


@pytest.mark.parametrize("start", ["", "uvloop"])
def test_a_program_with_asyncpg_prints_the_same_with_the_server_stopped(tmp_path: Path, start: str) -> None:
    code = (UVLOOP if start else "") + SCRIPT
    if start and sys.version_info >= (3, 12):
        code = code.replace("asyncio.run(", "uvloop.run(")
    with database(SCHEMA) as dsn:
        printed = record_script(code, tmp_path / "cassettes", dsn)
    cassette, _ = only(tmp_path / "cassettes")
    found = execute(cassette.path, tmp_path, sys.executable, "-c", code, PRODUCTION)
    assert found.output.splitlines()[0] == printed.strip()
    assert (found.status, found.verdict) == (0, "same")


def test_r08_a_statement_that_was_not_recorded_is_a_miss_that_the_program_sees_as_asyncpgs_own_error(
    tmp_path: Path,
) -> None:
    with database(SCHEMA) as dsn:
        record_script(SCRIPT, tmp_path / "cassettes", dsn)
    cassette, _ = only(tmp_path / "cassettes")
    other = SCRIPT.replace("SELECT $1::int * 2", "SELECT $1::int * 3")
    found = execute(cassette.path, tmp_path, sys.executable, "-c", other, PRODUCTION)
    assert (found.status, found.verdict) == (1, "deviates")
    assert "InternalServerError: timetracer: no recorded answer for SELECT $1::int * 3" in found.output
