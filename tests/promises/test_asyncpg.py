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


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the program printed, and the folder of its cassette; the server has stopped."""
    folder = tmp_path_factory.mktemp("recorded")
    with database(SCHEMA) as dsn:
        return record_script(SCRIPT, folder, dsn), folder


def test_a_program_with_asyncpg_prints_the_same_with_the_server_stopped(
    recorded: tuple[str, Path], tmp_path: Path
) -> None:
    printed, folder = recorded
    cassette, _ = only(folder)
    found = execute(cassette.path, tmp_path, sys.executable, "-c", SCRIPT, PRODUCTION)
    assert found.output.splitlines()[0] == printed.strip()
    assert (found.status, found.verdict) == (0, "same")


def test_r08_a_statement_that_was_not_recorded_is_a_miss_that_the_program_sees_as_asyncpgs_own_error(
    recorded: tuple[str, Path], tmp_path: Path
) -> None:
    cassette, _ = only(recorded[1])
    other = SCRIPT.replace("SELECT $1::int * 2", "SELECT $1::int * 3")
    found = execute(cassette.path, tmp_path, sys.executable, "-c", other, PRODUCTION)
    assert (found.status, found.verdict) == (1, "deviates")
    assert "InternalServerError: timetracer: no recorded answer for SELECT $1::int * 3" in found.output


HABITS = """
import asyncio, datetime, sys, time, uuid
import asyncpg
from opentelemetry import trace

async def visit(pool):
    key, now, began = uuid.uuid4(), datetime.datetime.now(datetime.timezone.utc), time.monotonic()
    await asyncio.sleep(0.2)
    try:
        await asyncio.wait_for(asyncio.sleep(30), 0.1)
    except asyncio.TimeoutError:
        waited = time.monotonic() - began
    await pool.execute("INSERT INTO visits (id, at, note) VALUES ($1, $2, $3)", key, now, "a note")
    row = await pool.fetchrow("SELECT * FROM visits WHERE id = $1", key)
    parts = await pool.fetch("SELECT note FROM visits WHERE id = ANY($1::uuid[])", [key])
    async with pool.acquire():
        try:
            await pool.acquire(timeout=0.1)
        except asyncio.TimeoutError as error:
            full = repr(error)
    close = abs(row["at"] - now) < datetime.timedelta(seconds=5)
    return row["id"] == key, type(now).__module__, close, 0.29 < waited < 5, full, row["note"], len(parts), now.year

async def main(dsn):
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        with trace.get_tracer("script").start_as_current_span("visit"):
            return await visit(pool)

print(repr(asyncio.run(main(sys.argv[1]))))
"""
"""A timer of uvloop counts in milliseconds, and may be early by one."""
VISITS = "CREATE TABLE visits (id uuid PRIMARY KEY, at timestamptz, note text)"


def test_r35_r45_ids_and_clocks_of_the_app_replay_and_another_value_beside_them_is_a_miss(tmp_path: Path) -> None:
    with database(VISITS) as dsn:
        printed = record_script(HABITS, tmp_path / "cassettes", dsn)
    assert printed.startswith("(True, 'datetime', True, True, ")
    cassette, _ = only(tmp_path / "cassettes")
    on_uvloop = UVLOOP + (HABITS.replace("asyncio.run(", "uvloop.run(") if sys.version_info >= (3, 12) else HABITS)
    for code in (HABITS, on_uvloop):
        found = execute(cassette.path, tmp_path, sys.executable, "-c", code, PRODUCTION)
        assert found.output.splitlines()[0] == printed.strip()
        assert (found.status, found.verdict, found.findings) == (0, "same", [])
    other = execute(cassette.path, tmp_path, sys.executable, "-c", HABITS.replace("a note", "no note"), PRODUCTION)
    assert other.verdict == "deviates"
    paths = [each["path"] for each in other.report["misses"][0]["differences"]]
    assert "parameters[2]" in paths
    assert "parameters[0]" not in paths
