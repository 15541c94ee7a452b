"""What an application does with psycopg. Each returns what it saw; the harness runs it recorded and again in replay."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import random
import socket
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
from opentelemetry.context import attach, detach, get_current
from psycopg import sql
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, ConnectionPool

PART = "record"
"""`record` or `replay`: set by the process that runs a scenario."""

COLUMNS = (
    "1::int2, 2::int4, 3::int8, 1.50::numeric, 0.1::float8, true, 'text', '\\x00ff'::bytea, "
    "'2024-02-29'::date, '2024-02-29 12:30:01.5'::timestamp, '2024-02-29 12:30:01.5+02'::timestamptz, "
    "'6f1c9a52-3b1e-4b43-9f61-5a2b4b1f0d3e'::uuid, '{1,NULL,3}'::int4[], '{\"a\": [1, null]}'::jsonb, "
    "'1 day 02:00'::interval, NULL::text, ''"
)


def errors_of(*calls: Callable[[], Any]) -> list[Any]:
    """What each gives, or what it raises with every field of its diagnostics."""
    return [_error_of(call) for call in calls]


def _error_of(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except psycopg.Error as error:
        names = sorted(name for name in dir(error.diag) if not name.startswith("_"))
        return type(error).__name__, str(error), {name: getattr(error.diag, name) for name in names}


def table(connection: psycopg.Connection[Any], name: str = "things") -> None:
    connection.execute(f"drop table if exists {name}")
    connection.execute(f"create table {name} (id serial primary key, name text unique, at timestamptz default now())")
    connection.commit()


def values(dsn: str) -> Any:
    """Common types and NULL, in text and in binary."""
    with psycopg.connect(dsn) as connection:
        text = connection.execute(f"select {COLUMNS}").fetchall()
        binary = connection.execute(f"select {COLUMNS}", binary=True).fetchall()
        none = connection.execute("select 1 where false").fetchall()
        empty = connection.execute("").statusmessage
        sent = connection.execute(
            "select %s, %s, %s, %s::text, %b::bytea, %s::date, %s, %s, %t::uuid, %s",
            (
                1,
                70000,
                1 << 40,
                None,
                b"\0\xff",
                dt.date(2024, 2, 29),
                Decimal("1.50"),
                [1, 2],
                uuid.UUID(int=7),
                Jsonb([1]),
            ),
        ).fetchall()
        described = [column.name for column in connection.execute("select 1 as a, 2 as b").description or ()]
    return text, binary, none, empty, sent, described


def errors(dsn: str) -> Any:
    """Errors with all their fields, 25P02 in a failed transaction, savepoints."""
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection:
        table(connection)
        connection.execute("insert into things (name) values (%s)", ("one",))
        connection.commit()
        seen += errors_of(
            lambda: connection.execute("insert into things (name) values (%s)", ("one",)),
            lambda: connection.execute("select 1"),
        )
        connection.rollback()
        seen += errors_of(
            lambda: connection.execute("selec 1"),
            connection.rollback,
            lambda: connection.execute("select nothing from things where id = %s", (1,)),
            connection.rollback,
            lambda: connection.execute("select 1/(id-id) from things", prepare=True),
            connection.rollback,
            lambda: connection.execute("select nothing from things where name = %s", ("x",), prepare=True),
            connection.rollback,
            lambda: connection.execute("insert into things (id) values ('x')"),
            connection.rollback,
        )
        with connection.transaction():
            connection.execute("insert into things (name) values ('two')")
            try:
                with connection.transaction():
                    connection.execute("insert into things (name) values ('two')")
            except psycopg.errors.UniqueViolation as error:
                seen.append(str(error))
            with connection.transaction("mine"):
                connection.execute("insert into things (name) values ('three')")
        seen.append(connection.execute("select name from things order by id").fetchall())
    return seen


def many(dsn: str) -> Any:
    """executemany with and without RETURNING, and notices."""
    notices: list[Any] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        table(connection)
        connection.add_notice_handler(
            lambda diagnostic: notices.append((diagnostic.severity, diagnostic.message_primary))
        )
        cursor = connection.cursor()
        cursor.executemany("insert into things (name) values (%s)", [(f"n{i}",) for i in range(20)])
        counted = cursor.rowcount
        cursor.executemany(
            "insert into things (name) values (%s) returning id, name", [("a",), (None,), ("b",)], returning=True
        )
        rows = [cursor.fetchall()]
        while cursor.nextset():
            rows.append(cursor.fetchall())
        connection.execute("do $$ begin raise notice 'said'; raise warning 'warned'; end $$")
        left = connection.execute("select count(*) from things").fetchone()
    return counted, rows, notices, left


def many_failing(dsn: str) -> Any:
    """Errors in executemany, at preparing and in the middle of its rows: how far it gets then is a matter of time."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        table(connection)
        cursor = connection.cursor()
        connection.execute("insert into things (name) values ('taken')")
        rows = [("x",), ("taken",), *[(f"y{i}",) for i in range(30)]]
        return errors_of(
            lambda: cursor.executemany("insert into things (name) values (%s)", rows),
            lambda: cursor.executemany("insert into nowhere (name) values (%s)", rows),
            lambda: connection.execute("select 1").fetchone(),
        )


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __repr__(self) -> str:
        return f"Point({self.x}, {self.y})"


class OwnCursor(psycopg.Cursor[Any]):
    pass


def cursors(dsn: str) -> Any:
    """R09: cursor classes, row factories and query objects, as far as they are not server-side."""
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection:
        own = OwnCursor(connection)
        seen.append((type(own).__name__, own.execute("select 1").fetchone()))
        client = psycopg.ClientCursor(connection)
        seen.append(client.execute("select %s::int, %s", (1, "it's")).fetchall())
        if hasattr(psycopg, "RawCursor"):  # since 3.2
            seen.append(psycopg.RawCursor(connection).execute("select $1::int + $1", [4]).fetchall())
        seen.append(connection.cursor(row_factory=dict_row).execute("select 1 as a").fetchall())
        seen.append(connection.cursor(row_factory=class_row(Point)).execute("select 1 as x, 2 as y").fetchall())
        seen.append(connection.cursor(binary=True).execute("select 1, now() is null").fetchall())
        seen.append(connection.execute(b"select 2").fetchall())
        query = sql.SQL("select {} as {}").format(sql.Literal("it's"), sql.Identifier('odd "name"'))
        seen.append(connection.cursor(row_factory=dict_row).execute(query).fetchall())
        seen.append(connection.execute("select %(b)s::int, %(a)s::int, %(b)s::int", {"a": 1, "b": 2}).fetchall())
        two = connection.execute("select 1; select 2, 3")
        seen.append((two.fetchall(), two.nextset(), two.fetchall(), two.nextset()))
    return seen


def polling(dsn: str) -> Any:
    """R32: the same call three times with different answers; `polling_more` calls once more."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return [connection.execute("select nextval('states')").fetchone() for _ in range(3)]


def polling_more(dsn: str) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        seen: list[Any] = [connection.execute("select nextval('states')").fetchone() for _ in range(3)]
        return seen + errors_of(lambda: connection.execute("select nextval('states')").fetchone())


def piece_by_piece(dsn: str) -> Any:
    """COPY, `stream()`, a server-side cursor, a pipeline and a notification."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create temp table items (id int, name text)")
        cursor = connection.cursor()
        with cursor.copy("copy items from stdin") as copy:
            for i in range(3):
                copy.write_row((i, f"name {i}"))
        with cursor.copy("copy items to stdout") as copy:
            copied = [bytes(block) for block in copy]
        streamed = list(cursor.stream("select id from items order by id"))
        with connection.transaction(), connection.cursor("mine") as server:
            server.itersize = 2
            server.execute("select * from items order by id")
            fetched = [*server]
    with psycopg.connect(dsn, autocommit=True) as connection, connection.pipeline():
        cursors = [connection.execute("select %s::int", (i,)) for i in range(5)]
        piped = [each.fetchone() for each in cursors]
        connection.execute("listen news")
        connection.execute("notify news, 'hello'")
    return copied, streamed, fetched, piped


def broken(dsn: str) -> Any:
    """Connections that end before the answer, requests that cannot leave."""
    return errors_of(lambda: broken_plainly(dsn), lambda: _on_closed(dsn), lambda: _binary_by_client_cursor(dsn))


def broken_plainly(dsn: str) -> Any:
    connection = psycopg.connect(dsn, autocommit=True)
    try:
        # Closed under libpq's feet: what it says then is the same every time, unlike what a server says that goes.
        with socket.socket(fileno=os.dup(connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)
        return connection.execute("select 1").fetchall()
    finally:
        connection.close()


def _on_closed(dsn: str) -> Any:
    connection = psycopg.connect(dsn)
    cursor = connection.cursor()
    connection.close()
    return cursor.execute("select 1")


def _binary_by_client_cursor(dsn: str) -> Any:
    with psycopg.connect(dsn) as connection:
        return psycopg.ClientCursor(connection).execute("select 1", binary=True)


# ---- pools: recorded warm, in binary and by several connections; replayed cold, in text, by one, in another order ----

ORDERS = "select id, total, at, paid, note from orders where id = %s"


def _is_recording() -> bool:
    return PART == "record"


def _ids(seed: int = 7) -> list[int]:
    ids = list(range(1, 9))
    if not _is_recording():
        random.Random(seed).shuffle(ids)
    return ids


def warm_pool(dsn: str) -> Any:
    """Prepared, binary, three connections while recording; unprepared, text, one in replay."""
    size = 3 if _is_recording() else 1
    found: dict[int, Any] = {}
    with ConnectionPool(dsn, min_size=size, max_size=size, open=True) as pool:
        pool.wait()
        for id_ in _ids():
            with pool.connection() as connection:
                connection.prepare_threshold = 0 if _is_recording() else None
                found[id_] = connection.execute(ORDERS, (id_,), binary=_is_recording()).fetchone()
    return sorted(found.items())


def cold_pool(dsn: str) -> Any:
    """The other way round: recorded cold and in text, replayed warm and in binary."""
    global PART
    PART = "replay" if _is_recording() else "record"
    return warm_pool(dsn)


async def gathered(dsn: str) -> Any:
    """R34: many parallel calls over one pool, in any order and with any number of connections."""
    size = 5 if _is_recording() else 1
    async with AsyncConnectionPool(dsn, min_size=size, max_size=size, open=False) as pool:
        await pool.wait()

        async def one(id_: int) -> Any:
            async with pool.connection() as connection:
                cursor = await connection.execute(ORDERS, (id_,))
                return id_, await cursor.fetchone()

        ids = _ids(int(os.environ.get("SEED", "1")))
        return sorted(await asyncio.gather(*map(one, ids)))


async def given_up(dsn: str) -> Any:
    """A timeout of the app runs out while the server is at work: it ends as a timeout, not as the server's error."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        try:
            await asyncio.wait_for(connection.execute("select pg_sleep(30)"), 0.3)
        except (asyncio.TimeoutError, psycopg.Error) as error:
            ending = type(error).__name__
        await connection.rollback()
        cursor = await connection.execute(ORDERS, (1,))
        return ending, await cursor.fetchone()


def threads(dsn: str) -> Any:
    """The same with threads that have the trace's context, which OpenTelemetry's threading instrumentor gives them."""
    size = 3 if _is_recording() else 1
    context = get_current()

    def one(id_: int) -> Any:
        token = attach(context)
        try:
            with pool.connection() as connection:
                return id_, connection.execute(ORDERS, (id_,)).fetchone()
        finally:
            detach(token)

    with ConnectionPool(dsn, min_size=size, max_size=size, open=True) as pool, ThreadPoolExecutor(4) as workers:
        return sorted(workers.map(one, _ids()))


# ---- what differs in replay ------------------------------------------------------------------------------------------


def commits(dsn: str) -> Any:
    """Replay rolls back where the recording committed."""
    with psycopg.connect(dsn) as connection:
        connection.execute("update orders set note = 'new' where id = 1")
        end = connection.commit if _is_recording() else connection.rollback
        return errors_of(end)


def missing_in_transaction(dsn: str) -> Any:
    """Replay asks for another order inside a transaction, swallows the error and goes on."""
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection:
        try:
            with connection.transaction():
                connection.execute(ORDERS, (1 if _is_recording() else 2,)).fetchone()
                connection.execute("select 1")
        except psycopg.Error as error:
            seen.append((type(error).__name__, error.sqlstate))
        seen.append(connection.execute("select 2").fetchone())
    return seen


def hinted(dsn: str) -> Any:
    """R36: comments that the app itself wrote count."""
    hint = os.environ.get("HINT", "/*+ IndexScan(orders) */")
    with psycopg.connect(dsn, autocommit=True) as connection:
        return errors_of(
            lambda: connection.execute(f"{hint} select 1 /* tag: shop */ from orders where id = 1").fetchall()
        )


def settings(dsn: str) -> Any:
    """What the server reports at connecting, and what SET makes of it."""
    with psycopg.connect(dsn) as connection:
        before = {name: connection.info.parameter_status(name) for name in ("TimeZone", "DateStyle", "server_encoding")}
        connection.execute("set time zone 'Asia/Tokyo'")
        at = connection.execute("select '2024-01-01 00:00+00'::timestamptz").fetchone()
        zone = connection.info.parameter_status("TimeZone")
        return before, at, zone, connection.info.dbname, connection.info.server_version, str(connection.info.timezone)
