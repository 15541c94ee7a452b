"""Cases of what must be right, for psycopg: prepared statements, housekeeping of pools, threads, tables that change."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from tests.drivers.psycopg import scenarios
from tests.drivers.psycopg.scenarios import errors_of

THREADS = 10


def prepared(dsn: str) -> Any:
    """R04: one statement prepared from its first run on, one from its second; the same through SQLAlchemy."""
    import sqlalchemy as sa

    engine = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    seen: list[Any] = []
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=1) as connection:
        for number in range(3):
            seen.append(connection.execute("select %s::int + 1 as first", (number,), prepare=True).fetchone())
            seen.append(connection.execute("select %s::int + 2 as second", (number,)).fetchone())
    with engine.connect() as connected:
        seen += [connected.execute(sa.text("select :a + 3 as third"), {"a": number}).all() for number in range(7)]
    engine.dispose()
    return seen


def looked_after(dsn: str) -> Any:
    """R06: pools that look whether connections live, and reset them: warm while recording, cold and small in replay."""
    import sqlalchemy as sa

    is_recording = scenarios.PART == "record"
    size = 2 if is_recording else 1
    engine = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"), pool_pre_ping=True, pool_size=size)
    if is_recording:
        _warm(engine)
    seen: list[Any] = []
    options: dict[str, Any] = {"check": ConnectionPool.check_connection, "reset": _reset}
    with ConnectionPool(dsn, min_size=size, max_size=size, open=True, **options) as pool:
        pool.wait()
        for number in range(4):
            with pool.connection() as connection:
                seen.append(connection.execute("select %s::int as pooled", (number,)).fetchone())
            with engine.connect() as connected:
                seen.append(connected.execute(sa.text("select :a + 1 as asked"), {"a": number}).all())
    engine.dispose()
    return seen


def _warm(engine: Any) -> None:
    """As before the request: under no span of it."""
    worker = threading.Thread(target=lambda: engine.connect().close())
    worker.start()
    worker.join()


def _reset(connection: psycopg.Connection[Any]) -> None:
    connection.execute("discard temp")
    connection.commit()


def numbered(dsn: str) -> Any:
    """R34: ten transactions of ten threads, all open at once, with the same statements and other answers."""
    shuffled = random.Random(os.environ.get("SEED", scenarios.PART))
    waits = [shuffled.random() / 20 for _ in range(3 * THREADS)]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("drop table if exists taken")
        connection.execute("drop sequence if exists tickets")
        connection.execute("create sequence tickets start 100")
        connection.execute("create table taken (id serial, number int)")
    all_hold_one = threading.Barrier(THREADS, timeout=30)
    with (
        ConnectionPool(dsn, min_size=shuffled.choice((2, 4, 10)), max_size=THREADS, open=True) as pool,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        pool.wait()
        return sorted(threads.map(lambda at: _ticket(pool, iter(waits[at::THREADS]), all_hold_one), range(THREADS)))


def _ticket(pool: ConnectionPool[Any], waits: Iterator[float], all_hold_one: threading.Barrier) -> Any:
    time.sleep(next(waits))
    with pool.connection() as connection:
        row = connection.execute("select nextval('tickets')").fetchone()
        assert row is not None
        all_hold_one.wait()
        time.sleep(next(waits))
        sql = "insert into taken (number) values (%s) returning id, number"
        taken = connection.execute(sql, (row[0],)).fetchone()
        time.sleep(next(waits))
        return row, taken


def changed(dsn: str) -> Any:
    """A statement that is prepared, and its table then another: outside a transaction and inside one."""
    prepares = psycopg.connect(dsn, autocommit=True, prepare_threshold=0)
    with prepares as connection, psycopg.connect(dsn, autocommit=True) as other:
        other.execute("drop table if exists regrown")
        other.execute("create table regrown (id int)")
        other.execute("insert into regrown values (1)")
        seen = [connection.execute("select * from regrown").fetchall() for _ in range(2)]
        other.execute("alter table regrown add column name text default 'x'")
        seen += errors_of(
            lambda: connection.execute("select * from regrown").fetchall(),
            lambda: connection.execute("select * from regrown", prepare=False).fetchall(),
        )
        other.execute("alter table regrown add column more int default 5")
        with connection.transaction(force_rollback=True):
            seen += errors_of(*[lambda: connection.execute("select * from regrown").fetchall()] * 2)
        seen += errors_of(*[lambda: connection.execute("select * from regrown").fetchall()] * 2)
        seen.append(other.execute("select * from regrown").fetchall())
    return seen
