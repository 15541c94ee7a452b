"""COPY in every variant that asyncpg has: from and to files, paths, coroutines, iterators; text, CSV and binary."""

from __future__ import annotations

import datetime as dt
import io
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.drivers.asyncpg.scenarios import connected, errors_of

COLUMNS = ("id", "name", "at")
DAY = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.timezone.utc)


async def copied_out(dsn: str) -> Any:
    """To a path, to a file, to a coroutine, to one that fails; with every option of the format."""
    with tempfile.TemporaryDirectory() as folder:
        path, pieces = Path(folder) / "out", list[bytes]()

        async def keep(data: bytes) -> None:
            pieces.append(bytes(data))

        async def fail(data: bytes) -> None:
            raise ValueError("the disk is full")

        async with connected(dsn) as connection:
            await _fill(connection)
            opened = io.BytesIO()
            csv = {"format": "csv", "delimiter": ";", "null": "-", "header": True, "quote": "|", "escape": "\\"}
            given = [
                await connection.copy_from_table("copied_2", output=str(path), columns=["id", "name"]),
                path.read_bytes(),
                await connection.copy_from_table("copied_2", schema_name="public", output=path, format="binary"),
                path.read_bytes(),
                await connection.copy_from_table("copied_2", output=opened, force_quote=["name"], **csv),
                await connection.copy_from_query(
                    "select $1::text, $2::int, at from copied_2 where id > $3 limit 2", "a", 7, 1, output=opened
                ),
                await connection.copy_from_query("select * from copied_2 where id = 1", output=keep, format="binary"),
                await connection.copy_from_query("select 'é'", output=keep, encoding="latin1"),
                opened.getvalue(),
                pieces,
            ]
            given += await errors_of(
                connection.copy_from_table("nowhere", output=keep), connection.fetchval("select count(*) from copied_2")
            )
            try:
                await connection.copy_from_table("copied_2", output=fail)
            except ValueError as error:
                given.append(repr(error))
            connection.terminate()  # asyncpg itself would wait for ever now
    return given


async def copied_in(dsn: str) -> Any:
    """From a path, a file, iterators of both kinds; records of both kinds, some columns, under a condition."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in"
        path.write_bytes(b"20;'a;b'\n21;-\n")

        async with connected(dsn) as connection:
            await _fill(connection)
            csv = {"format": "csv", "delimiter": ";", "null": "-", "quote": "'"}
            given = [
                await connection.copy_to_table("copied_2", source=str(path), columns=["id", "name"], **csv),
                await connection.copy_to_table("copied_2", source=io.BytesIO(b"30\tx\t\\N\n"), schema_name="public"),
                await connection.copy_to_table("copied_2", source=_pieces()),
                await connection.copy_records_to_table("copied_2", records=_records(), columns=COLUMNS),
                await connection.copy_records_to_table(
                    "copied_2", records=[(60, "no"), (61, "yes")], columns=["id", "name"], where="name = 'yes'"
                ),
                await connection.copy_records_to_table("copied_2", records=[]),
            ]
            try:
                await connection.copy_to_table("copied_2", source=_failing())
            except ValueError as error:
                given.append(repr(error))
            binary = io.BytesIO()
            await connection.copy_from_table("copied_2", output=binary, format="binary")
            await connection.execute("truncate copied_2")
            binary.seek(0)
            given.append(await connection.copy_to_table("copied_2", source=binary, format="binary"))
            given += await errors_of(
                connection.copy_to_table("copied_2", source=io.BytesIO(b"1,2,3,4,5\n"), format="csv"),
                connection.copy_records_to_table("copied_2", records=[(70, "x", DAY), (70, "y", DAY)]),
                connection.fetch("select * from copied_2 order by id"),
            )
    return given


async def _fill(connection: Any) -> None:
    await connection.execute(
        "drop table if exists copied_2; create table copied_2 (id int primary key, name text, at timestamptz)"
    )
    await connection.copy_records_to_table("copied_2", records=[(n, f"n{n}\t'", DAY) for n in range(4)])


async def _pieces() -> AsyncIterator[bytes]:
    for piece in (b"40\tpie", b"ce\t\\N\n41\t", b"other\t2024-02-29 12:30+02\n"):
        yield piece


async def _records() -> AsyncIterator[tuple[Any, ...]]:
    for number in range(50, 53):
        yield number, None, DAY


async def _failing() -> AsyncIterator[bytes]:
    yield b"70\tlost\t\\N\n"
    raise ValueError("no more rows")


SCENARIOS: tuple[Callable[[str], Awaitable[Any]], ...] = (copied_out, copied_in)
