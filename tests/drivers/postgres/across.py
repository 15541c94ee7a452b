"""The same statements through one driver or the other: `python -m tests.drivers.postgres.across DRIVER WHAT PART DSN`.

WHAT is `types` or `engine`, PART `record` or `replay`. Prints a line of JSON for each: what was asked, and what came of
it (`repr`).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from opentelemetry import trace

from tests.drivers.postgres.type_scenarios import MAKE, PAIRS, plain
from tests.drivers.postgres.type_scenarios import literal as literal_of

HELD: Final = sa.table("held", sa.column("id"), sa.column("name"), sa.column("at", sa.DateTime(timezone=True)))
Ask: TypeAlias = Callable[..., Awaitable[Any]]

SENT: Final[Mapping[str, Any]] = {
    "bool": True,
    "int2": 7,
    "int4": 70_000,
    "int8": 1 << 40,
    "numeric": Decimal("1.50"),
    "float8": 0.1,
    "text": "é'\\",
    "varchar": "x",
    "bytea": b"\0\xff",
    "uuid": uuid.UUID(int=7),
    "date": dt.date(2024, 2, 29),
    "time": dt.time(12, 30, 1, 5),
    "timestamp": dt.datetime(2024, 2, 29, 12, 30),
    "timestamptz": dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    "interval": dt.timedelta(days=-3, seconds=5, microseconds=7),
    "inet": ipaddress.ip_address("10.0.0.1"),
    "int4[]": [1, None, 70_000],
    "text[]": ["a", None, "b c"],
    "numeric[]": [Decimal("1.10")],
    "r41_mood": "ok",
    "r41_email": "a@b",
}
"""Values that both drivers take for the type."""


async def _run(ask: Ask) -> None:
    for statement in MAKE:
        await ask(statement)
    for kind, value in PAIRS:
        if kind != "hstore":
            _say(f"{kind} {value}", await _outcome(ask(f"select {literal_of(kind, value)} as given")))
    for kind, sent in SENT.items():
        _say(f"sent {kind}", await _outcome(ask(f"select $1::{kind} as given, $1::{kind} is null", sent)))
        _say(f"null {kind}", await _outcome(ask(f"select $1::{kind} as given", None)))


async def _outcome(call: Awaitable[Any]) -> Any:
    try:
        return plain(await call)
    except Exception as error:  # noqa: BLE001  drivers raise many kinds, and which one is what counts
        return type(error).__name__, str(error)


def _say(name: str, given: Any) -> None:
    print(json.dumps([name, repr(given)]), flush=True)


async def _asyncpg(dsn: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        await _run(connection.fetch)
    finally:
        await connection.close()


async def _psycopg(dsn: str) -> None:
    import psycopg

    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:

        async def ask(statement: str, *values: Any) -> Any:
            cursor = psycopg.AsyncRawCursor(connection)
            await cursor.execute(statement, values or None)
            return await cursor.fetchall() if cursor.description else None

        await _run(ask)


async def _engine(url: str, part: str) -> None:
    """SQLAlchemy, over either of them: warm when it is recorded, cold in replay."""
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    if part == "record":
        async with engine.connect():
            pass
    with trace.get_tracer("tests").start_as_current_span("engine"):
        async with engine.begin() as connection:
            await connection.execute(sa.text("create temp table held (id int, name text, at timestamptz)"))
            insert = sa.insert(HELD).values(id=1, name="a", at=dt.datetime(2024, 2, 29, tzinfo=dt.timezone.utc))
            await connection.execute(insert)
            rows = await connection.execute(sa.select(HELD).where(HELD.c.id == 1, HELD.c.name.in_(["a", "b"])))
            _say("rows", [tuple(map(_in_utc, row)) for row in rows])
            try:
                async with connection.begin_nested():
                    await connection.execute(sa.text("select 1/0"))
            except sa.exc.DBAPIError as error:
                _say("error", (type(error).__name__, getattr(error.orig, "sqlstate", None)))
            _say("sum", (await connection.execute(sa.text("select :a + 1"), {"a": 1})).all())
    await engine.dispose()


def _in_utc(value: Any) -> Any:
    return value.astimezone(dt.timezone.utc) if isinstance(value, dt.datetime) else value


def main(driver: str, what: str, part: str, dsn: str) -> None:
    if what == "engine":
        asyncio.run(_engine(dsn.replace("postgresql://", f"postgresql+{driver}://"), part))
        return
    with trace.get_tracer("tests").start_as_current_span("types"):
        asyncio.run(_asyncpg(dsn) if driver == "asyncpg" else _psycopg(dsn))


if __name__ == "__main__":
    main(*sys.argv[1:])
