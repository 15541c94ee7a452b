"""A service in a process of its own, recorded: `python -m tests.drivers.postgres.pool_children POOL DSN`.

Its pool has one connection; two pieces of work want it at once, one more gives up waiting. Prints what they saw.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from opentelemetry import context, trace
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

import timetracer_otel

QUERY = "select 7"


def psycopg_sync(dsn: str) -> Any:
    from psycopg_pool import ConnectionPool, PoolTimeout

    with ConnectionPool(dsn, min_size=1, max_size=1, name="shop") as pool, root():
        pool.wait()
        here, asked = context.get_current(), threading.Event()
        given: list[Any] = []

        def second() -> None:
            context.attach(here)
            asked.set()
            with pool.connection() as connection:
                given.append(connection.execute(QUERY).fetchone())

        with pool.connection() as connection:
            work = threading.Thread(target=second)
            work.start()
            asked.wait()
            while not pool.get_stats()["requests_waiting"]:
                asked.wait(0.001)
            try:
                pool.getconn(timeout=0.05)
            except PoolTimeout as error:
                given.append(type(error).__name__)
            given.append(connection.execute(QUERY).fetchone())
        work.join()
        return given


async def psycopg_async(dsn: str) -> Any:
    from psycopg_pool import AsyncConnectionPool

    async with AsyncConnectionPool(dsn, min_size=1, max_size=1, name="shop") as pool:
        await pool.wait()
        return await _contended(pool.connection, lambda: pool.getconn(timeout=0.05), _execute)


async def asyncpg_pool(dsn: str) -> Any:
    import asyncpg

    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        return await _contended(pool.acquire, lambda: pool.acquire(timeout=0.05), _fetch)


def alchemy_sync(dsn: str) -> Any:
    import sqlalchemy as sa

    url = dsn.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    with root():
        with engine.connect() as connection:
            try:
                engine.connect()
            except sa.exc.TimeoutError as error:
                given = [type(error).__name__, connection.exec_driver_sql(QUERY).one()]
        with engine.connect() as connection:
            return [*given, connection.exec_driver_sql(QUERY).one()]


async def alchemy_asyncpg(dsn: str) -> Any:
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import create_async_engine

    url = dsn.replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.2)

    async def second() -> Any:
        async with engine.connect() as connection:
            return (await connection.execute(sa.text(QUERY))).one()

    with root():
        async with engine.connect() as connection:
            work = asyncio.create_task(second())
            await asyncio.sleep(0)
            given: list[Any] = []
            try:
                await engine.connect()
            except sa.exc.TimeoutError as error:
                given.append(type(error).__name__)
            given.append((await connection.execute(sa.text(QUERY))).one())
        try:
            given.append(await work)
        except sa.exc.TimeoutError as error:
            given.append(type(error).__name__)
    await engine.dispose()
    return given


async def _contended(borrow: Any, try_to: Any, ask: Any) -> Any:
    async def second() -> Any:
        async with borrow() as connection:
            return await ask(connection)

    with root():
        async with borrow() as connection:
            work = asyncio.create_task(second())
            await asyncio.sleep(0)
            given: list[Any] = []
            try:
                await try_to()
            except Exception as error:  # noqa: BLE001  each pool has its own
                given.append(type(error).__name__)
            given.append(await ask(connection))
        given.append(await work)
        return given


async def _execute(connection: Any) -> Any:
    return await (await connection.execute(QUERY)).fetchone()


async def _fetch(connection: Any) -> Any:
    return tuple(await connection.fetchrow(QUERY))


def root() -> Any:
    return trace.get_tracer("tests").start_as_current_span("work", kind=trace.SpanKind.SERVER)


def main(pool: str, dsn: str) -> None:
    timetracer_otel.install()
    AsyncPGInstrumentor().instrument(skip_dep_check=True)  # type: ignore[no-untyped-call]  # it has no types
    PsycopgInstrumentor().instrument(skip_dep_check=True)
    given = globals()[pool](dsn)
    print(repr(asyncio.run(given) if asyncio.iscoroutine(given) else given))


if __name__ == "__main__":
    main(*sys.argv[1:])
