"""Server-side cursors and `stream()`, as applications use them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.drivers.psycopg.scenarios import errors_of

NUMBERS = "select i as id, 'name ' || i as name, i * 1.5 as price from generate_series(1, %s) i"


def server_cursors(dsn: str) -> Any:
    """Named cursors in every way they can be read, two of them at once, and what goes wrong with them."""
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection:
        with connection.cursor("first") as first, connection.cursor('se"cond', row_factory=dict_row) as second:
            first.itersize = 3
            first.execute(NUMBERS, (10,))
            second.execute(NUMBERS, (4,), binary=True)
            seen.append([column.name for column in first.description or ()])
            seen += [first.fetchone(), second.fetchone(), first.fetchmany(2), [*first], first.fetchall()]
            seen += [second.fetchall(), second.fetchone(), first.rownumber, second.rowcount]
            first.execute("select 'again'")
            seen.append(first.fetchall())
        with connection.cursor("scrolled", scrollable=True) as scrolled:
            scrolled.execute(NUMBERS, (9,))
            scrolled.scroll(3)
            seen.append(scrolled.fetchmany(2))
            scrolled.scroll(0, mode="absolute")
            seen.append(scrolled.fetchone())
            scrolled.scroll(-1)
            seen.append(scrolled.fetchall())
        connection.execute("declare stolen cursor for select generate_series(1, 5)")
        with psycopg.ServerCursor(connection, "stolen") as stolen:
            seen.append(stolen.fetchmany(2))
        connection.commit()
        seen += _failing(connection)
    with psycopg.connect(dsn, autocommit=True) as connection:
        with connection.cursor("held", withhold=True) as held:
            held.execute("select generate_series(1, 3)")
            seen.append(held.fetchall())
        with connection.cursor("none") as outside:
            seen += errors_of(lambda: outside.execute("select 1"))
    return seen


def _failing(connection: psycopg.Connection[Any]) -> list[Any]:
    cursor = connection.cursor("failing")
    seen = errors_of(lambda: cursor.execute("selec 1"))
    connection.rollback()
    cursor.execute("select 6 / (3 - i) from generate_series(1, 5) i")
    seen += errors_of(lambda: cursor.fetchmany(2), cursor.fetchall, cursor.fetchone)
    connection.rollback()
    cursor.close()
    return seen


async def server_cursors_async(dsn: str) -> Any:
    async with await psycopg.AsyncConnection.connect(dsn) as connection, connection.cursor("mine") as cursor:
        cursor.itersize = 4
        await cursor.execute(NUMBERS, (10,))
        first = await cursor.fetchone()
        rest = [row async for row in cursor]
        return first, rest, await cursor.fetchmany(2), await cursor.fetchall()


def pages(dsn: str, sizes: Sequence[int]) -> Any:
    """The rows of two cursors that take turns, in pages of these sizes."""
    with psycopg.connect(dsn) as connection, connection.cursor("a") as one, connection.cursor(_name()) as other:
        one.execute(NUMBERS, (10,))
        other.execute("select 'other ' || i from generate_series(1, 10) i")
        rows = [(one.fetchmany(size), other.fetchmany(size)) for size in sizes]
    return [row for page, _ in rows for row in page], [row for _, page in rows for row in page]


def _name() -> str:
    """As SQLAlchemy names them: never twice the same."""
    return f"c_{os.getpid():x}_{os.urandom(4).hex()}"


def beyond(dsn: str, sizes: Sequence[int]) -> Any:
    return errors_of(lambda: pages(dsn, sizes))


def moved(dsn: str, size: int) -> Any:
    """A relative move, after that many rows were read."""
    with psycopg.connect(dsn) as connection, connection.cursor("moved", scrollable=True) as cursor:
        cursor.execute(NUMBERS, (10,))
        return errors_of(
            lambda: cursor.fetchmany(size)[:0],
            lambda: cursor.scroll(2),
            cursor.fetchone,
            connection.rollback,
        )


def above(dsn: str, least: int, sign: str = ">") -> Any:
    with psycopg.connect(dsn) as connection, connection.cursor("mine") as cursor:
        query = f"select i from generate_series(1, 5) i where i {sign} %s"
        return errors_of(lambda: cursor.execute(query, (least,)).fetchall(), connection.rollback)


def many_rows(dsn: str, count: int) -> int:
    """Read in pages of 1000."""
    with psycopg.connect(dsn) as connection, connection.cursor("many") as cursor:
        cursor.itersize = 1000
        cursor.execute(NUMBERS, (count,))
        return sum(1 for _ in cursor)


def streams(dsn: str) -> Any:
    """Rows one by one: read to the end, left early, none, and cut off by an error."""
    with psycopg.connect(dsn) as connection:
        cursor = connection.cursor()
        seen: list[Any] = [list(cursor.stream(NUMBERS, (5,))), list(cursor.stream(NUMBERS, (5,), binary=True))]
        seen.append([column.name for column in cursor.description or ()])
        seen.append(list(cursor.stream("select 1 where false")))
        if psycopg.pq.version() >= 170000:
            seen.append(list(cursor.stream(NUMBERS, (25,), size=10)))
        seen.append(list(connection.cursor(row_factory=dict_row).stream("select 1 as a, null::text as b")))
        seen.append(next(cursor.stream("select 'left early' from generate_series(1, 4)")))
        seen.append(connection.execute("select 1").fetchone())
        seen += errors_of(
            lambda: list(cursor.stream("selec 1")),
            connection.rollback,
            lambda: _until_it_fails(cursor),
            connection.rollback,
            lambda: list(cursor.stream("set time zone 'UTC'")),
            connection.rollback,
        )
    return seen


def _until_it_fails(cursor: psycopg.Cursor[Any]) -> list[Any]:
    """How many rows come before an error of the server is the same each time, for libpq hands out what it has."""
    seen: list[Any] = []
    try:
        seen.extend(cursor.stream("select 6 / (3 - i) from generate_series(1, 5) i"))
    except psycopg.Error as error:
        seen.append(str(error))
    return seen


async def streams_async(dsn: str) -> Any:
    # What is left in the middle is cancelled in its own time: a transaction might have failed by then, or not.
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = connection.cursor()
        first = [row async for row in cursor.stream(NUMBERS, (5,))]
        async for row in cursor.stream("select generate_series(1, 5000)"):
            if row[0] == 3:
                break
        return first, row, await (await connection.execute("select 1")).fetchone()


def streamed(dsn: str, count: int, text: str = "name ") -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        query = f"select i, '{text}' || i from generate_series(1, %s) i"
        return errors_of(lambda: sum(1 for _ in connection.cursor().stream(query, (count,))))
