"""Pipelines that the application opens itself, two-phase commit, types of its own, several statements at once."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.range import RangeInfo, register_range

from tests.drivers.psycopg.scenarios import errors_of, table


def pipelines(dsn: str) -> Any:
    """Explicit, nested, with sync, with transactions, with executemany, and with an error in the middle."""
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection:
        table(connection)
        with connection.pipeline() as pipeline:
            cursors = [connection.execute("select %s::int", (i,), prepare=i % 2 == 0) for i in range(4)]
            pipeline.sync()
            seen += [cursor.fetchone() for cursor in cursors]
            with connection.transaction():
                connection.execute("insert into things (name) values (%s)", ("one",))
                with connection.pipeline(), connection.transaction():
                    connection.execute("insert into things (name) values (%s)", ("two",))
            many = connection.cursor()
            many.executemany("insert into things (name) values (%s) returning id", [("a",), ("b",)], returning=True)
            seen.append([many.fetchone(), many.nextset(), many.fetchone(), many.nextset()])
        connection.commit()
        seen += errors_of(lambda: _failing(connection), connection.rollback)
        seen.append(connection.execute("select id, name from things order by id").fetchall())
    with psycopg.connect(dsn, autocommit=True) as connection, connection.pipeline():
        plain = [connection.execute(f"select {i}") for i in range(3)]
        seen += [cursor.fetchall() for cursor in plain]
    return seen


def _failing(connection: psycopg.Connection[Any]) -> None:
    with connection.pipeline() as pipeline:
        connection.execute("select 1")
        connection.execute("insert into things (name) values (%s)", ("one",))
        connection.execute("select 2")
        pipeline.sync()


async def pipelines_async(dsn: str) -> Any:
    async with await psycopg.AsyncConnection.connect(dsn) as connection, connection.pipeline():
        cursors = [await connection.execute("select %s::int", (i,)) for i in range(5)]
        return [await cursor.fetchone() for cursor in cursors]


def two_phases(dsn: str) -> Any:
    """Prepared transactions: committed, rolled back, recovered by another connection, and one that does not exist."""
    seen: list[Any] = []
    with psycopg.connect(dsn) as connection, psycopg.connect(dsn) as other:
        table(connection)
        for name, end in (("kept", "tpc_commit"), ("dropped", "tpc_rollback")):
            connection.tpc_begin(connection.xid(1, name, "b"))
            connection.execute("insert into things (name) values (%s)", (name,))
            connection.tpc_prepare()
            getattr(connection, end)()
        connection.tpc_begin("left")
        connection.execute("insert into things (name) values ('left')")
        connection.tpc_prepare()
        (left,) = [xid for xid in other.tpc_recover() if xid.gtrid == "left"]
        seen.append((left.gtrid, left.database))
        other.rollback()
        other.tpc_commit("left")
        connection.tpc_begin("plain")
        connection.execute("insert into things (name) values ('one phase')")
        connection.tpc_commit()
        seen += errors_of(lambda: other.tpc_commit("nobody"), other.rollback)
        seen.append(other.execute("select name from things order by id").fetchall())
        connection.close()
    return seen


def looked_up_types(dsn: str) -> Any:
    """R41: types of the application's own, found in the catalogue."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("drop type if exists mood, pair, times")
        connection.execute("create type mood as enum ('sad', 'ok')")
        connection.execute("create type pair as (a int, b text)")
        connection.execute("create type times as range (subtype = time)")
        mood, pair, times = (
            EnumInfo.fetch(connection, "mood"),
            CompositeInfo.fetch(connection, "pair"),
            RangeInfo.fetch(connection, "times"),
        )
        assert mood
        assert pair
        assert times
        register_enum(mood, connection)
        register_composite(pair, connection)
        register_range(times, connection)
        nothing = TypeInfo.fetch(connection, "nothing")
        columns = "'ok'::mood, row(1, 'x')::pair, '[10:00,11:00)'::times, '{ok,sad}'::mood[], array[row(2, 'y')::pair]"
        query = f"select {columns}"
        text, binary = connection.execute(query).fetchone(), connection.execute(query, binary=True).fetchone()
        assert text
        sent = connection.execute("select %s::pair, %s::times", (text[1], text[2])).fetchone()
        return nothing, mood.labels, pair.field_names, text, binary, sent


def several_statements(dsn: str) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute("select 1 as a; set time zone 'UTC'; select 2, 'x'; select 3 where false")
        seen: list[Any] = [(cursor.statusmessage, cursor.fetchall())]
        while cursor.nextset():
            seen.append((cursor.statusmessage, cursor.fetchall() if cursor.description else None))
        return seen + errors_of(lambda: connection.execute("select 1; select 1/0; select 2"))
