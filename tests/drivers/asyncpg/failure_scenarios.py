"""What goes wrong between an application and its server: at connecting, in the middle of a statement, by giving up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg

LIMIT_S = 0.6
"""Of the client, who gives up then: on a busy machine a statement has left by that time."""

Given: TypeAlias = Callable[[], Awaitable[Any]]


async def outcome(call: Awaitable[Any]) -> Any:
    """What it gives, or what it raises with all that is known of it."""
    try:
        return await call
    except asyncio.TimeoutError as error:
        return repr(error)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        said = sorted(error.as_dict().items()) if isinstance(error, asyncpg.PostgresError) else None
        return repr(error), str(error), getattr(error, "errno", None), said


async def refused_connects(dsn: str) -> Any:
    """No such database, user, server, host, socket, encryption; several servers; too many connections; nobody answers.
    Connections that succeed among them."""
    admin = await asyncpg.connect(dsn)
    await admin.execute("drop role if exists few; create role few login connection limit 1")
    await admin.execute(  # it has the same password
        "update pg_authid set rolpassword = (select rolpassword from pg_authid where rolname = current_user) "
        "where rolname = 'few'"
    )
    first = await asyncpg.connect(dsn, user="few")
    seen = [
        await outcome(_connected(dsn, user="few")),
        await outcome(_connected(dsn, database="nothing_here")),
        await outcome(_connected(dsn, user="nobody", password="x")),
        await outcome(_connected(dsn, password="wrong", user="few")),
        await outcome(_connected(_at(dsn, "127.0.0.1:1"))),
        await outcome(_connected(_at(dsn, "127.0.0.1:1,127.0.0.1:2"))),
        await outcome(_connected(_at(dsn, "no-such-host.invalid:5432"))),
        await outcome(_connected(host="/nowhere/at/all", user="app", database="shop")),
        await outcome(_connected(dsn, ssl=True)),
        await outcome(_connected(dsn, ssl="verify-full")),
        await outcome(_connected(dsn, target_session_attrs="standby")),
        await outcome(asyncpg.create_pool(dsn, database="nothing_here", min_size=1)),
    ]
    await first.close()
    third = await asyncpg.connect(dsn, user="few")
    seen += [await third.fetchval("select current_user"), await admin.fetchval("select 1")]
    await third.close()
    await admin.close()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = _at(dsn, f"127.0.0.1:{silent.getsockname()[1]}")
        seen.append(await outcome(asyncpg.connect(nobody, timeout=0.3)))
        seen.append(await outcome(asyncio.wait_for(asyncpg.connect(nobody), 0.3)))
    return seen


async def _connected(*where: str, **options: Any) -> str:
    await (await asyncpg.connect(*where, **options)).close()
    return "connected"


def _at(dsn: str, place: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{place}", query=""))


END = "pg_terminate_backend(pg_backend_pid())"


async def lost(dsn: str) -> Any:
    """The server ends the connection: in every kind of call, at once and after rows; then it goes without a word."""
    seen: list[Any] = []
    ends: tuple[Callable[[Any], Awaitable[Any]], ...] = (
        lambda it: it.fetch(f"select {END}, pg_sleep(5)"),
        lambda it: it.execute(f"select 1; select {END}; select 2"),
        lambda it: it.executemany(f"select case when $1 = 3 then {END} end", [(each,) for each in range(6)]),
        lambda it: it.copy_from_query(f"select {END}", output=_ignore),
        _in_a_transaction,
        _in_a_cursor,
    )
    for end in ends:
        connection = await asyncpg.connect(dsn)
        seen += [await outcome(end(connection)), connection.is_closed()]
        seen.append(await outcome(connection.fetch("select 'afterwards'")))
    async with _fragile(dsn) as (connection, cut):
        asyncio.get_running_loop().call_later(0.3, cut)
        seen += [await outcome(connection.fetch("select pg_sleep(20)")), connection.is_closed()]
    return seen


async def _ignore(_: bytes) -> None:
    """COPY wants somebody to give its data to."""


async def _in_a_transaction(connection: Any) -> Any:
    async with connection.transaction():
        await connection.fetch("select 1")
        return await connection.fetch(f"select {END}")


async def _in_a_cursor(connection: Any) -> Any:
    """Its last page does not come."""
    await connection.execute("begin")
    cursor = await connection.cursor(f"select i, case when i = 120 then {END} end from generate_series(1, 200) i")
    pages = [await cursor.fetch(50), await cursor.fetch(50)]
    return [len(page) for page in pages], await outcome(cursor.fetch(50))


@contextlib.asynccontextmanager
async def _fragile(dsn: str) -> AsyncIterator[tuple[Any, Callable[[], None]]]:
    """A connection that breaks without a word when it is told to; in replay, where nobody comes here, by itself."""
    address = urlsplit(dsn)
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(address.hostname, address.port)
        writers.extend((writer, outer))
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = urlunsplit(address._replace(netloc=f"{address.netloc.rpartition(':')[0]}:{port}"))
    yield await asyncpg.connect(through), lambda: _cut(writers)
    server.close()


def _cut(writers: list[asyncio.StreamWriter]) -> None:
    for each in writers:
        each.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


async def given_up(dsn: str) -> Any:
    """Limits of the client and of the server, cancelled tasks: while a statement runs, and while it is prepared, which
    the lock of another connection keeps from its end. The connection goes on each time."""
    locker, connection = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    await locker.execute("drop table if exists guarded; create table guarded (id int)")
    await locker.execute("insert into guarded values (7)")
    seen: list[Any] = []
    for sql in ("select pg_sleep(20)", "select id from guarded where id = $1"):
        arguments = (7,) if "$1" in sql else ()
        transaction = locker.transaction()
        await transaction.start()
        await locker.execute("lock table guarded in access exclusive mode")
        seen.append(await outcome(connection.fetch(sql, *arguments, timeout=LIMIT_S)))
        seen.append(await outcome(asyncio.wait_for(connection.fetch(sql, *arguments), LIMIT_S)))
        seen.append(await _cancelled(connection.fetch(sql, *arguments)))
        seen.append(await connection.fetchval("select 'goes on'"))
        for limit in ("statement_timeout", "lock_timeout") if arguments else ("statement_timeout",):
            await connection.execute(f"set {limit} = 100")
            seen.append(await outcome(connection.fetch(sql, *arguments)))
            await connection.execute(f"set {limit} = 0")
        seen.append(await _killed(dsn, locker, sql, arguments))
        await transaction.rollback()
    seen.append(await connection.fetch(sql, 7))
    seen += [await _between_pages(connection), await _in_time(dsn, locker)]
    return [*seen, await connection.close(), await locker.close()]


async def _between_pages(connection: Any) -> Any:
    """A limit that runs out when a cursor has given some of its rows."""
    transaction = connection.transaction()
    await transaction.start()
    cursor = await connection.cursor("select i, case when i = 7 then pg_sleep(20) end from generate_series(1, 9) i")
    pages = [len(await cursor.fetch(5)), await outcome(cursor.fetch(5, timeout=LIMIT_S))]
    await transaction.rollback()
    return pages, await connection.fetchval("select 'goes on'")


async def _killed(dsn: str, killer: Any, sql: str, arguments: Any) -> Any:
    victim = await asyncpg.connect(dsn, server_settings={"application_name": "victim"})
    waiting = asyncio.ensure_future(outcome(victim.fetch(sql, *arguments)))
    await asyncio.sleep(LIMIT_S)  # it has to be under way, on a busy machine too
    await killer.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'")
    return await waiting, victim.is_closed()


async def _in_time(dsn: str, locker: Any) -> Any:
    """A limit for every statement of a connection; it runs out inside a transaction, too."""
    connection = await asyncpg.connect(dsn, command_timeout=1.5)  # BEGIN has to fit, on a busy machine too
    seen = [await outcome(connection.execute("select pg_sleep(20)"))]
    async with connection.transaction():
        seen.append(await outcome(connection.fetchval("select pg_sleep(21)")))
        seen.append(await outcome(connection.fetchval("select 'not any more'")))
    return [*seen, await connection.fetchval("select 'again'"), await connection.close()]


async def _cancelled(work: Awaitable[Any]) -> Any:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(LIMIT_S)  # it has to be under way, on a busy machine too
    task.cancel()
    return repr((await asyncio.gather(task, return_exceptions=True))[0])


async def conflicts(dsn: str) -> Any:
    """A deadlock, a serialization failure at COMMIT, 25P02."""
    one, two = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    await one.execute("drop table if exists clashing; create table clashing (id int primary key, n int)")
    await one.execute("insert into clashing values (1, 0), (2, 0)")
    seen = [await _deadlock(one, two)]
    first, second = one.transaction(isolation="serializable"), two.transaction(isolation="serializable")
    for connection, transaction in ((one, first), (two, second)):
        await transaction.start()
        await connection.fetchval("select sum(n) from clashing")
    await one.execute("update clashing set n = 1 where id = 1")
    await two.execute("update clashing set n = 1 where id = 2")
    seen += [await outcome(first.commit()), await outcome(second.commit())]
    third = one.transaction()
    await third.start()
    seen += [await outcome(one.execute("selec")), await outcome(one.fetch("select 1")), await outcome(one.execute("x"))]
    await third.rollback()
    seen.append(await two.fetch("select * from clashing order by id"))
    await one.close()
    await two.close()
    return seen


async def _deadlock(one: Any, two: Any) -> Any:
    """Which of both it is that fails, the server decides."""
    for connection in (one, two):
        await connection.execute("set deadlock_timeout = 100")
        await connection.execute("begin")
    await one.execute("update clashing set n = n + 1 where id = 1")
    await two.execute("update clashing set n = n + 1 where id = 2")
    ends = await asyncio.gather(
        outcome(one.execute("update clashing set n = n + 1 where id = 2")),
        outcome(two.execute("update clashing set n = n + 1 where id = 1")),
    )
    return *ends, await one.execute("rollback"), await two.execute("rollback")


SCENARIOS: tuple[Callable[[str], Awaitable[Any]], ...] = (refused_connects, lost, given_up, conflicts)
