"""COPY in and out, as applications use it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.copy import AsyncQueuedLibpqWriter, QueuedLibpqWriter

from tests.drivers.psycopg.scenarios import errors_of

ROWS: Sequence[Sequence[Any]] = ((1, "one", None), (2, "t\two\n\\", dt.date(2024, 2, 29)), (3, "drei ü", None))
TABLE = "create temp table items (id int, name text, day date)"


def copies(dsn: str) -> Any:
    """Text, binary and CSV, by rows and by blocks, in and out."""
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection:
        connection.execute(TABLE)
        cursor = connection.cursor()
        with cursor.copy("copy items (id, name, day) from stdin") as copy:
            for row in ROWS:
                copy.write_row(row)
        seen.append((cursor.statusmessage, cursor.rowcount))
        with cursor.copy("copy items from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "date"])
            for row in ROWS:
                copy.write_row(row)
        with cursor.copy("copy items from stdin (format csv)") as copy:
            copy.write('4,"a\nb",\n5')
            copy.write(bytearray(b",x,2024-01-01\n"))
        with cursor.copy("copy items from stdin", writer=QueuedLibpqWriter(cursor)) as copy:
            copy.write_row((6, "queued", None))
        with cursor.copy("copy items from stdin"):
            seen.append("nothing")
        seen.append(connection.execute("select * from items").fetchall())
        with cursor.copy("copy items to stdout") as copy:
            seen.append([bytes(block) for block in copy])
        seen.append((cursor.rowcount, [column.name for column in cursor.description or ()]))
        with cursor.copy("copy (select id, name, day from items where id < %s) to stdout", (4,)) as copy:
            copy.set_types(["int4", "text", "date"])
            seen.append(list(copy.rows()))
        with cursor.copy("copy items to stdout (format binary)") as copy:
            copy.set_types(["int4", "text", "date"])
            seen += [copy.read_row(), [*copy.rows()]]
        with cursor.copy("copy (select 1 where false) to stdout (format csv, header)") as copy:
            seen.append([bytes(block) for block in copy])
    return seen


def broken_copies(dsn: str) -> Any:
    """What goes wrong with COPY: at its start, in its data, and by the app's own doing."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLE)
        return errors_of(
            lambda: _copy_in(connection, "copy nowhere from stdin", "1\n"),
            lambda: _copy_in(connection, "copy items from stdin", "1\tone\t\\N\nx\ty\t\\N\n"),
            lambda: _given_up(connection),
            lambda: _copy_out(connection, "copy nowhere to stdout"),
            lambda: _copy_out(connection, "copy (select 1 / (3 - i) from generate_series(1, 5) i) to stdout"),
            lambda: connection.execute("select count(*) from items").fetchall(),
        )


def left_early(dsn: str) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return _left(connection), connection.execute("select 1").fetchone()


def _copy_in(connection: psycopg.Connection[Any], statement: str, data: str) -> Any:
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            copy.write(data)
        return cursor.statusmessage


def _given_up(connection: psycopg.Connection[Any]) -> Any:
    try:
        with connection.cursor().copy("copy items from stdin") as copy:
            copy.write_row(ROWS[0])
            raise ValueError("the app has had enough")
    except ValueError as error:
        return str(error)


def _left(connection: psycopg.Connection[Any]) -> Any:
    """Reading ends early, and psycopg cancels what is left."""
    try:
        with connection.cursor().copy("copy (select generate_series(1, 3000)) to stdout") as copy:
            raise ValueError(bytes(copy.read()).decode())
    except ValueError as error:
        return str(error)


def _copy_out(connection: psycopg.Connection[Any], statement: str) -> Any:
    with connection.cursor().copy(statement) as copy:
        return [bytes(block) for block in copy]


async def copies_async(dsn: str) -> Any:
    seen: list[Any] = []
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute(TABLE)
        async with connection.cursor() as cursor:
            for writer in (None, AsyncQueuedLibpqWriter(cursor)):
                async with cursor.copy("copy items from stdin", writer=writer) as copy:
                    for row in ROWS:
                        await copy.write_row(row)
            async with cursor.copy("copy items to stdout") as copy:
                seen.append([bytes(block) async for block in copy])
            async with cursor.copy("copy items to stdout (format binary)") as copy:
                copy.set_types(["int4", "text", "date"])
                seen.append([row async for row in copy.rows()])
            try:
                async with cursor.copy("copy items from stdin") as copy:
                    await copy.write("x\n")
            except psycopg.Error as error:
                seen.append((type(error).__name__, str(error)))
    return seen


def copied_in(dsn: str, rows: Sequence[Sequence[Any]], binary: bool, pieces: int = 1) -> Any:
    """Rows copied in, in one block or in several."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLE)
        statement = "copy items (id, name, day) from stdin" + (" (format binary)" if binary else "")
        return errors_of(lambda: _in_pieces(connection, statement, rows, pieces))


def _in_pieces(connection: psycopg.Connection[Any], statement: str, rows: Sequence[Sequence[Any]], pieces: int) -> Any:
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            copy.set_types(["int4", "text", "date"])
            data = b"".join(copy.formatter.write_row(row) for row in rows) + copy.formatter.end()
            step = len(data) // pieces + 1
            for start in range(0, len(data), step):
                copy.write(data[start : start + step])
        return cursor.statusmessage


def large(dsn: str, megabytes: int) -> Any:
    """So much in, and so much out."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create temp table large (line text)")
        block = (b"x" * 1023 + b"\n") * 1024
        with connection.cursor() as cursor:
            with cursor.copy("copy large from stdin") as copy:
                for _ in range(megabytes):
                    copy.write(block)
            with cursor.copy("copy large to stdout") as copy:
                size = sum(len(piece) for piece in copy)
            return cursor.rowcount, size
