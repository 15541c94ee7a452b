"""R41: every type that a server has, one value at a time: fetched in text and in binary, and sent back as it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

Given = tuple[str, Any]

MAKE: Final = (
    "drop type if exists r41_pair, r41_mood, r41_times cascade",
    "drop domain if exists r41_email cascade",
    "create type r41_mood as enum ('sad', 'ok', 'it''s')",
    "create domain r41_email as text check (value ~ '@')",
    "create type r41_pair as (number int, mood r41_mood, note text)",
    "create type r41_times as range (subtype = time)",
)
HSTORE: Final = "create extension if not exists hstore"

VALUES: Final[Sequence[tuple[str, Sequence[str | None]]]] = (
    ("bool", ["t", "f", None]),
    ("int2", ["-32768", "32767"]),
    ("int4", ["-2147483648", "0"]),
    ("int8", ["9223372036854775807", None]),
    ("oid", ["4294967295"]),
    ("numeric", ["NaN", "Infinity", "-Infinity", "1.10", "0", "-0.00001", "1e-20", "1" + "0" * 99, "9" * 100 + ".5"]),
    ("numeric(10,4)", ["1.1", "NaN"]),
    ("float4", ["NaN", "-0", "0.1", "3.4e38", "-Infinity"]),
    ("float8", ["NaN", "-0", "Infinity", "0.1", "1e15", "1e16", "5e-324", "1.7976931348623157e308"]),
    ("money", ["12.50", "-1234567.89"]),
    ("text", ["", "é\n\t'\\", "\U0001f600", None]),
    ("varchar(5)", ["abc"]),
    ("char(5)", ["abc"]),
    ('"char"', ["x", ""]),
    ("name", ["pg_class"]),
    ("bytea", ["\\x", "\\x00ff5c27", None]),
    ("uuid", ["6f1c9a52-3b1e-4b43-9f61-5a2b4b1f0d3e"]),
    ("date", ["2024-02-29", "infinity", "-infinity", "0001-12-31 BC", "9999-12-31", "10000-01-01", None]),
    ("time", ["00:00:00", "23:59:59.999999", "24:00:00"]),
    ("timetz", ["12:30:01.5+02", "00:00:00-15:59:59"]),
    ("timestamp", ["2024-02-29 12:30:01.500001", "infinity", "-infinity", "0044-03-15 12:00:00 BC", "294276-12-31"]),
    ("timestamptz", ["2024-02-29 12:30:01+02", "infinity", "0001-01-01 00:00:00+00", "4713-01-01 00:00:00 BC"]),
    ("interval", ["5 years 2 mons -3 days", "-1 day 04:05:06.789", "00:00:00", "178000000 years", "1 mon -00:00:01"]),
    ("json", ['{"a" :1, "b": [null, 1.0]}', '"é"', "null"]),
    ("jsonb", ['{"b": [1, 2.50, null], "a": "x"}', "1e100", "{}"]),
    ("jsonpath", ["$.a[*]"]),
    ("inet", ["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"]),
    ("cidr", ["10.0.0.0/8", "::/0"]),
    ("macaddr", ["08:00:2b:01:02:03"]),
    ("macaddr8", ["08:00:2b:01:02:03:04:05"]),
    ("bit(5)", ["10101"]),
    ("varbit", ["", "101010101"]),
    ("xml", ["<a>é</a>"]),
    ("tsvector", ["a:1A fat:2B,4C cat:5"]),
    ("tsquery", ["fat & !rat"]),
    ("point", ["(1.5,-2)"]),
    ("box", ["(2,2),(0,0)"]),
    ("line", ["{1,2,3}"]),
    ("lseg", ["[(0,0),(1,1)]"]),
    ("path", ["((0,0),(1,1))", "[(0,0),(1,1)]"]),
    ("polygon", ["((0,0),(1,1),(1,0))"]),
    ("circle", ["<(0,0),1>"]),
    ("pg_lsn", ["16/B374D848"]),
    ("txid_snapshot", ["10:20:10,14,15"]),
    ("regclass", ["pg_class"]),
    ("int4[]", ["{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[2:3]={1,2}", None]),
    ("text[]", ['{"",NULL,"NULL","a b","q\\"x\\\\"}']),
    ("numeric[]", ["{NaN,1.10}"]),
    ("bytea[]", ['{"\\\\x00ff"}']),
    ("timestamptz[]", ['{"2024-02-29 12:30:01+02"}']),
    ("jsonb[]", ['{"{\\"a\\": 1}"}']),
    ("uuid[]", ["{6f1c9a52-3b1e-4b43-9f61-5a2b4b1f0d3e,NULL}"]),
    ("int4range", ["[1,5)", "empty", "(,5)", "[1,)", "(,)"]),
    ("numrange", ["[1.10,2.5]"]),
    ("daterange", ["[2024-01-01,2024-02-01)", "[2024-01-01,infinity)"]),
    ("tstzrange", ['["2024-01-01 00:00+00","2024-01-02 00:00+00")']),
    ("int4range[]", ['{"[1,2)",empty}']),
    ("int4multirange", ["{}", "{[1,2),[5,6)}"]),
    ("datemultirange", ["{[2024-01-01,2024-02-01)}"]),
    ("r41_mood", ["ok", "it's", None]),
    ("r41_mood[]", ["{ok,NULL,sad}"]),
    ("r41_email", ["a@b"]),
    ("r41_pair", ['(1,ok,"a,b")', "(,,)"]),
    ("r41_pair[]", ['{"(1,ok,x)",NULL}']),
    ("r41_times", ["[10:00,11:00)"]),
    ("hstore", ['"a"=>"1", "b"=>NULL', ""]),
)

PAIRS: Final = tuple((kind, value) for kind, values in VALUES for value in values)


def literal(kind: str, value: str | None) -> str:
    text = "null" if value is None else "'" + value.replace("'", "''") + "'"
    return f"{text}::{kind}"


def outcome(call: Callable[[], Any]) -> Any:
    """What it gives; or what the driver raises, for values that Python has no place for."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001  drivers raise many kinds, and which one is what counts
        return type(error).__name__, str(error)


def psycopg_types(dsn: str) -> Any:
    """Without anything registered."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        seen = [outcome(partial(_made, connection, each)) for each in (*MAKE, HSTORE)]
        for kind, value in PAIRS:
            seen += _psycopg_value(connection, kind, value)
    return seen


def _made(connection: Any, statement: str) -> str | None:
    status: str | None = connection.execute(statement).statusmessage
    return status


def _psycopg_value(connection: Any, kind: str, value: str | None) -> list[Any]:
    """Fetched in both forms, and each sent back in the form in which the driver would send it and in both others."""
    seen = []
    for binary in (False, True):
        query = f"select {literal(kind, value)}"
        found = outcome(partial(_row, connection, query, None, binary))
        seen.append(found)
        if len(found) == 1:
            for form in ("%s", "%b", "%t"):
                seen.append(outcome(partial(_row, connection, f"select {form}::{kind}", found, True)))
    return seen


def _row(connection: Any, query: str, values: Any, binary: bool) -> Any:
    return connection.execute(query, values, binary=binary).fetchone()


def psycopg_registered_types(dsn: str) -> Any:
    """Enums, composites, ranges and hstore as Python's own, in arrays and as parameters."""
    import psycopg
    from psycopg.types import TypeInfo
    from psycopg.types.composite import CompositeInfo, register_composite
    from psycopg.types.enum import EnumInfo, register_enum
    from psycopg.types.hstore import register_hstore
    from psycopg.types.range import RangeInfo, register_range

    with psycopg.connect(dsn, autocommit=True) as connection:
        kinds: tuple[tuple[type[TypeInfo], str, Callable[..., None]], ...] = (
            (EnumInfo, "r41_mood", register_enum),
            (CompositeInfo, "r41_pair", register_composite),
            (RangeInfo, "r41_times", register_range),
            (TypeInfo, "hstore", register_hstore),
        )
        for info, name, register in kinds:
            found = info.fetch(connection, name)
            if found is not None:
                register(found, connection)
        own = [(kind, value) for kind, value in PAIRS if kind.startswith(("r41_", "hstore"))]
        return [_psycopg_value(connection, kind, value) for kind, value in own]


async def asyncpg_types(dsn: str) -> Any:
    """All in binary, as asyncpg does; and sent back."""
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        seen = [await _outcome(connection.execute(each)) for each in (*MAKE, HSTORE)]
        for kind, value in PAIRS:
            found = await _outcome(connection.fetch(f"select {literal(kind, value)} as given"))
            seen.append(plain(found))
            if len(found) == 1:
                back = await _outcome(connection.fetch(f"select $1::{kind} as given", found[0]["given"]))
                seen.append(plain(back))
        seen.append(await _outcome(connection.set_builtin_type_codec("hstore", codec_name="pg_contrib.hstore")))
        seen.append(await _outcome(connection.fetch("select $1::hstore", {"a": "1", "b": None})))
        return seen
    finally:
        await connection.close()


async def _outcome(call: Any) -> Any:
    try:
        return await call
    except Exception as error:  # noqa: BLE001  as in `outcome`
        return type(error).__name__, str(error)


def plain(found: Any) -> Any:
    """With what is in asyncpg's paths: they and polygons have no `repr` of their own."""
    given: Any = found[0][0] if isinstance(found, list) and found else None
    return (type(given).__name__, given.is_closed, list(given)) if hasattr(given, "is_closed") else found
