"""What applications do with psycopg's async connections, where `tests/drivers/psycopg` does it with the sync ones."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import args_row, class_row, dict_row, kwargs_row, namedtuple_row, scalar_row, tuple_row
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg_pool import AsyncConnectionPool, AsyncNullConnectionPool, ConnectionPool, NullConnectionPool


async def errors_of(*calls: Awaitable[Any]) -> list[Any]:
    return [await _error_of(call) for call in calls]


async def _error_of(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except psycopg.Error as error:
        return type(error).__name__, error.sqlstate, str(error)


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __repr__(self) -> str:
        return f"Point({self.x}, {self.y})"


class OwnAsyncCursor(psycopg.AsyncCursor[Any]):
    async def one(self, query: str) -> Any:
        return await (await self.execute(query)).fetchone()


class OwnServerCursor(psycopg.AsyncServerCursor[Any]):
    pass


FACTORIES = (
    tuple_row,
    dict_row,
    namedtuple_row,
    scalar_row,
    class_row(Point),
    args_row(Point),
    kwargs_row(lambda **columns: sorted(columns.items())),
)


def factories(dsn: str) -> Any:
    """Every row factory, for plain and for server-side cursors, and set for the whole connection."""
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection:
        for factory in FACTORIES:
            seen.append(connection.cursor(row_factory=factory).execute("select 1 as x, 2 as y").fetchall())
            with connection.cursor("mine", row_factory=factory) as server:
                seen.append(server.execute("select 1 as x, 2 as y from generate_series(1, 2)").fetchall())
            seen.append(list(connection.cursor(row_factory=factory).stream("select 3 as x, 4 as y")))
    with psycopg.connect(dsn, row_factory=dict_row, cursor_factory=psycopg.ClientCursor) as connection:
        cursor = connection.execute("select %s as a", ("it's",))
        seen.append((type(connection.cursor()).__name__, cursor.fetchone()))
    return seen


def objects(dsn: str) -> Any:
    """Every kind of query object, and every cursor class, server-side ones too."""
    seen: list[Any] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        composed = sql.SQL("select {}, {} as {}, {a}::int").format(
            sql.Literal("it's"), sql.Placeholder(), sql.Identifier("odd name"), a=sql.Placeholder()
        )
        seen.append(connection.execute(composed, ("x", 1)).fetchall())
        seen.append(connection.execute(sql.SQL("select {}").format(sql.Literal(b"\0\xff"))).fetchall())
        joined = sql.SQL(", ").join(map(sql.Literal, (1, None, True)))
        seen.append(connection.execute(sql.SQL("select ") + joined).fetchall())
        raw = psycopg.RawCursor(connection)
        seen.append(raw.execute("select $2::int, $1::text, $2::int, '%'", ["a", 1]).fetchall())
        raw.executemany("select $1::int + 1", [(1,), (2,)], returning=True)
        seen.append([raw.fetchone(), raw.nextset(), raw.fetchone()])
        client = psycopg.ClientCursor(connection)
        seen.append(
            (client.mogrify("select %s, %s", ("it's", None)), client.execute("select %s", ([1, 2],)).fetchone())
        )
        client.executemany("select %s::int", [(1,), (2,)], returning=True)
        seen.append([client.fetchone(), client.nextset(), client.fetchone()])
        with connection.transaction(), psycopg.RawServerCursor(connection, "raw") as server:
            seen.append(server.execute("select generate_series(1, $1)", [3]).fetchall())
        seen.append(_prepared(connection))
        seen.append(connection.execute("select 1 as a", prepare=True, binary=True).fetchall())
    return seen + _templates(dsn)


def _prepared(connection: psycopg.Connection[Any]) -> Any:
    """A statement that is prepared from its third execution on; then all are forgotten."""
    connection.prepare_threshold, connection.prepared_max = 2, 2
    given = [connection.execute("select %s::int", (number,)).fetchone() for number in range(5)]
    for text in ("a", "b", "c", "d"):
        given += [connection.execute(f"select '{text}', %s::int", (number,)).fetchone() for number in range(4)]
    names = connection.execute("select count(*) from pg_prepared_statements").fetchone()
    return given, names


def _templates(dsn: str) -> list[Any]:
    """Template strings, where Python has them."""
    try:
        query = eval("t'select {number}::int as {name:i}, {text}'", {"number": 7, "name": "odd", "text": "it's"})  # noqa: S307  syntax of Python 3.14
    except SyntaxError:
        return []
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        return [connection.execute(query).fetchall()]


async def objects_async(dsn: str) -> Any:
    seen: list[Any] = []
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        for factory in FACTORIES:
            cursor = await connection.cursor(row_factory=factory).execute("select 1 as x, 2 as y")
            seen.append(await cursor.fetchall())
        seen.append(await OwnAsyncCursor(connection).one("select 'own'"))
        seen.append(await (await psycopg.AsyncClientCursor(connection).execute("select %s", ("it's",))).fetchone())
        seen.append(await (await psycopg.AsyncRawCursor(connection).execute("select $1::int", [1])).fetchone())
        async with connection.transaction(), OwnServerCursor(connection, "mine", scrollable=True) as server:
            await server.execute("select generate_series(1, 9)")
            await server.scroll(2)
            seen += [await server.fetchone(), await server.fetchmany(3)]
        cursor = await connection.execute("select 1 as a; select 2, 'x'")
        seen += [await cursor.fetchall(), cursor.nextset(), await cursor.fetchall()]
        seen.append(await (await connection.execute("select 1, now() is null", binary=True)).fetchall())
    return seen


async def changes_async(dsn: str) -> Any:
    """executemany, savepoints, notices, errors, two-phase commit."""
    seen: list[Any] = []
    notices: list[Any] = []
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        connection.add_notice_handler(lambda said: notices.append(said.message_primary))
        await connection.execute("drop table if exists async_things")
        await connection.execute("create table async_things (id serial primary key, name text unique)")
        cursor = connection.cursor()
        await cursor.executemany("insert into async_things (name) values (%s)", [(f"n{i}",) for i in range(20)])
        seen.append(cursor.rowcount)
        query = "insert into async_things (name) values (%s) returning id, name"
        await cursor.executemany(query, [("a",), ("b",)], returning=True)
        seen += [await cursor.fetchall(), cursor.nextset(), await cursor.fetchall(), cursor.nextset()]
        async with connection.transaction(force_rollback=True):
            await connection.execute("insert into async_things (name) values ('gone')")
        try:
            async with connection.transaction("mine"):
                await connection.execute("insert into async_things (name) values ('a')")
        except psycopg.errors.UniqueViolation as error:
            seen.append(str(error))
        async with connection.transaction():
            await connection.execute("do $$ begin raise notice 'said'; end $$")
        await connection.commit()
        seen += await errors_of(connection.execute("selec"), connection.execute("select 1"), connection.rollback())
        await connection.tpc_begin(connection.xid(1, "async", "b"))
        await connection.execute("insert into async_things (name) values ('kept')")
        await connection.tpc_prepare()
        await connection.tpc_commit()
        await connection.tpc_begin("one")
        await connection.tpc_rollback()
        seen.append([xid.gtrid for xid in await connection.tpc_recover() if xid.gtrid == "async"])
        seen.append(await (await connection.execute("select count(*) from async_things")).fetchone())
    return seen, notices


async def looked_up_types_async(dsn: str) -> Any:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("drop type if exists async_pair, async_mood")
        await connection.execute("create type async_mood as enum ('sad', 'ok')")
        await connection.execute("create type async_pair as (a int, b async_mood)")
        mood, pair = await EnumInfo.fetch(connection, "async_mood"), await CompositeInfo.fetch(connection, "async_pair")
        nothing = await TypeInfo.fetch(connection, "nothing")
        assert mood
        assert pair
        register_enum(mood, connection)
        register_composite(pair, connection)
        query = "select row(1, 'ok')::async_pair, array['sad', 'ok']::async_mood[]"
        cursors = [await connection.execute(query, binary=binary) for binary in (False, True)]
        return nothing, [await cursor.fetchone() for cursor in cursors]


def pools(dsn: str) -> Any:
    """Of every kind, with a check of what they hand out, and a subclass of Connection."""
    seen: list[Any] = []
    for kind in (ConnectionPool, NullConnectionPool):
        with kind(
            dsn,
            min_size=0,
            max_size=2,
            open=True,
            connection_class=OwnConnection,
            check=ConnectionPool.check_connection,
        ) as pool:
            for number in range(3):
                with pool.connection() as connection:
                    seen.append((type(connection).__name__, connection.execute("select %s::int", (number,)).fetchone()))
    return seen


class OwnConnection(psycopg.Connection[Any]):
    pass


async def pools_async(dsn: str) -> Any:
    seen: list[Any] = []
    for kind in (AsyncConnectionPool, AsyncNullConnectionPool):
        check = AsyncConnectionPool.check_connection
        async with kind(dsn, min_size=0, max_size=2, open=False, check=check) as pool:
            for number in range(3):
                async with pool.connection() as connection:
                    seen.append(await (await connection.execute("select %s::int", (number,))).fetchone())
    return seen


SCENARIOS = (
    factories,
    objects,
    objects_async,
    changes_async,
    looked_up_types_async,
    pools,
    pools_async,
)
