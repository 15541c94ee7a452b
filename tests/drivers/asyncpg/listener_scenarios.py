"""What asyncpg tells an application without being asked: notices, notifications, queries, ends of connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from tests.drivers.asyncpg.scenarios import connected

NOTED = "do $$ begin raise notice 'noted %', 1 using hint = 'h', detail = 'd'; raise warning 'warned'; end $$"


async def logged(dsn: str) -> Any:
    """Listeners of notices, of queries and of the end, as functions and as coroutines; taken off again."""
    notices, later, queries, ended = list[Any](), list[Any](), list[Any](), list[Any]()

    def notice(_: Any, message: Any) -> None:
        notices.append((type(message).__name__, sorted(message.as_dict().items())))

    async def notice_later(_: Any, message: Any) -> None:
        later.append(str(message))

    def query(record: Any) -> None:
        queries.append((record.query, record.args, record.timeout, type(record.exception).__name__))

    connection = await asyncpg.connect(dsn)
    connection.add_log_listener(notice)
    connection.add_log_listener(notice_later)
    connection.add_termination_listener(lambda _: ended.append("ended"))
    connection.add_query_logger(query)
    await connection.execute(NOTED)
    await connection.fetchval("select $1::int", 7, timeout=9)
    await connection.executemany("select $1::int", [(1,), (2,)])
    await asyncio.gather(connection.fetch("select 1/0"), return_exceptions=True)
    connection.remove_query_logger(query)
    with connection.query_logger(query):
        await connection.fetch("select 'logged'")
    connection.remove_log_listener(notice)
    await connection.execute(NOTED)
    await connection.close()
    return notices, later, queries, ended


async def several_channels(dsn: str) -> Any:
    """Two channels, two listeners on one of them, one taken off."""
    heard: asyncio.Queue[Any] = asyncio.Queue()

    def tell(name: str) -> Callable[..., None]:
        return lambda _, pid, channel, payload: heard.put_nowait((name, channel, payload))

    first, second, third = tell("first"), tell("second"), tell("third")
    async with connected(dsn) as connection, connected(dsn) as other:
        await connection.add_listener("news", first)
        await connection.add_listener("news", second)
        await connection.add_listener("Mixed Case", third)
        await other.execute("select pg_notify('news', 'a'), pg_notify('Mixed Case', 'b')")
        given = [await asyncio.wait_for(heard.get(), 60) for _ in range(3)]
        await connection.remove_listener("news", first)
        await other.execute("notify news, 'c'")
        given += [await asyncio.wait_for(heard.get(), 60)]
        await connection.remove_listener("news", second)
        await connection.remove_listener("Mixed Case", third)
        await other.execute("notify news, 'unheard'")
        return sorted(given[:3]), given[3:], await connection.fetch("select pg_listening_channels()")


SCENARIOS: tuple[Callable[[str], Awaitable[Any]], ...] = (logged, several_channels)
