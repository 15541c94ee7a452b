"""What an application does with pools and prepared statements of asyncpg. Each returns what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from tests.drivers.asyncpg.scenarios import connected, errors_of

PART = "record"
"""`record` or `replay`: set by the process that runs a scenario."""


async def pools(dsn: str) -> Any:
    """Every method of a pool; what is set on a connection is gone when the next one has it."""
    ready: list[str] = []

    async def setup(connection: Any) -> None:
        ready.append(await connection.fetchval("select current_setting('application_name')"))

    options = {"min_size": 1, "max_size": 1, "setup": setup, "server_settings": {"application_name": "shop"}}
    async with asyncpg.create_pool(dsn, **options) as pool:
        await pool.execute("drop table if exists pooled; create table pooled (id int, name text)")
        await pool.executemany("insert into pooled values ($1, $2)", [(n, f"n{n}") for n in range(5)])
        given = [
            await pool.fetch("select * from pooled order by id"),
            await pool.fetchrow("select * from pooled where id = $1", 3),
            await pool.fetchval("select count(*) from pooled"),
            await pool.copy_records_to_table("pooled", records=[(9, "nine")]),
        ]
        async with pool.acquire() as connection:
            await connection.execute("set application_name = 'leaked'; listen leaks; set time zone 'Asia/Tokyo'")
            await connection.execute("select pg_advisory_lock(7)")
            given += [await connection.fetchval("show application_name"), connection.get_settings().TimeZone]
            late = (await asyncio.gather(pool.acquire(timeout=0.05), return_exceptions=True))[0]
            given += [type(late).__name__, pool.get_size(), pool.get_idle_size()]
        async with pool.acquire() as connection:
            given += [await connection.fetchval("show application_name"), connection.get_settings().TimeZone]
            given += [await connection.fetch("select pg_listening_channels()")]
            given += await errors_of(connection.fetchval("select pg_advisory_unlock(7)"))
        return given, ready


async def renewed(dsn: str) -> Any:
    """Connections that are closed because they were idle, were used often enough, or are told to be."""
    given: list[Any] = []
    options = {"min_size": 0, "max_size": 1, "max_inactive_connection_lifetime": 0.05, "max_queries": 3}
    async with asyncpg.create_pool(dsn, **options) as pool:
        given.append(await pool.fetchval("select 'first'"))
        while pool.get_size():
            await asyncio.sleep(0.01)
        for number in range(5):
            given.append(await pool.fetchval("select $1::int", number))
        await pool.expire_connections()
        given.append(await pool.fetchval("select $1::int", 5))
    return given


async def ended_while_idle(dsn: str) -> Any:
    """The server ends a connection while the pool has it: whoever asks next has a new one."""
    async with connected(dsn) as other, asyncpg.create_pool(dsn, min_size=0, max_size=1) as pool:
        await pool.execute("drop table if exists outlived; create table outlived (pid int)")
        pids = [await pool.fetchval("insert into outlived values (pg_backend_pid()) returning pid")]
        ended = await other.fetchval("select pg_terminate_backend($1)", pids[0])
        while PART == "record" and pool.get_size():
            await asyncio.sleep(0.01)
        async with pool.acquire() as connection, connection.transaction():
            pids.append(await connection.fetchval("insert into outlived values (pg_backend_pid()) returning pid"))
            pids.append(await connection.fetchval("select count(*) from outlived where pid = $1", pids[0]))
        return ended, pids, pids[0] == pids[1]


async def prepared(dsn: str) -> Any:
    """Prepared statements by every method; a cache of statements that is too small, and one that forgets."""
    async with connected(dsn, statement_cache_size=2, max_cached_statement_lifetime=1) as connection:
        await connection.execute("drop table if exists cooked; create table cooked (id int primary key, name text)")
        insert = await connection.prepare("insert into cooked values ($1, $2)", name="my_insert")
        given = [insert.get_name(), insert.get_query(), insert.get_parameters(), insert.get_attributes()]
        given += [await insert.executemany([(n, f"n{n}") for n in range(4)]), await insert.fetch(4, "n4")]
        given += [insert.get_statusmsg(), *await errors_of(insert.fetch(4, "again"))]
        find = await connection.prepare("select * from cooked where id >= $1 order by id")
        given += [await find.fetch(2), await find.fetchrow(1), await find.fetchval(1, column=1), await find.fetch(9)]
        given += [await find.fetchmany([(3,), (4,)])]
        given += [(await find.explain(1))[0]["Plan"]["Node Type"]]
        async with connection.transaction():
            given += [[row async for row in find.cursor(1, prefetch=2)]]
            cursor = await find.cursor(0)
            given += [await cursor.forward(2), await cursor.fetch(1), await cursor.forward(9), await cursor.fetchrow()]
        for number in (1, 2, 3, 1, 2, 3):  # pushes each other out of the cache
            given.append(await connection.fetchval(f"select {number} + $1::int", number))
        return given


SCENARIOS: tuple[Callable[[str], Awaitable[Any]], ...] = (pools, renewed, prepared)
