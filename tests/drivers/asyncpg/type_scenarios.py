"""Types of the application's own and codecs for any, as asyncpg knows them. Each scenario returns what it saw."""

from __future__ import annotations

import datetime as dt
import json
import struct
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import asyncpg

from tests.drivers.asyncpg.scenarios import connected, errors_of

MADE = (
    "drop schema if exists goods cascade; create schema goods; "
    "create type goods.size as enum ('s', 'm', 'l'); "
    "create domain goods.price as numeric(10, 2) check (value >= 0); "
    "create domain goods.prices as goods.price[]; "
    "create type goods.span as range (subtype = float8); "
    "create type goods.sizes as range (subtype = goods.size); "
    "create type goods.label as (size goods.size, price goods.price, tags text[]); "
    "create type goods.box as (inner_label goods.label, others goods.label[], at timestamptz); "
    "create table goods.item (id int, size goods.size, box goods.box, span goods.span, prices goods.prices)"
)


async def introspected(dsn: str) -> Any:
    """Enums, domains, composites, ranges and arrays of each, as values and as parameters."""
    async with connected(dsn) as connection:
        await connection.execute(MADE)
        label = ("m", Decimal("1.50"), ["a", None])
        box = (label, [label, None], dt.datetime(2024, 2, 29, tzinfo=dt.timezone.utc))
        await connection.execute(
            "insert into goods.item values ($1, $2, $3, $4, $5)", 1, "l", box, asyncpg.Range(0.5, 2.5), [Decimal(3)]
        )
        return [
            await connection.fetch("select * from goods.item"),
            await connection.fetch("select '{s,NULL,l}'::goods.size[], '[s,l)'::goods.sizes, '{2.50}'::goods.prices"),
            await connection.fetch("select array[i.box] as boxes, array[i.span] as spans from goods.item i"),
            await connection.fetch("select '{[0.5,1),[2,3]}'::goods.span_multirange"),
            await connection.fetch("select i from goods.item i"),
            await connection.fetch("select $1::goods.label, $2::goods.label[]", label, [label]),
        ]


async def codecs_of_all_forms(dsn: str) -> Any:
    """In text, in binary, as tuples; for base types, domains, enums and composites; taken back."""
    async with connected(dsn) as connection:
        await connection.execute(MADE)
        given: list[Any] = []
        for name in ("json", "jsonb"):
            await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        given += [await connection.fetchrow("select $1::json, $2::jsonb, '{\"a\": [1.5]}'::json", {"b": 1}, [None])]
        await connection.set_type_codec(
            "int4", schema="pg_catalog", encoder=struct.Struct("!i").pack, decoder=_doubled, format="binary"
        )
        given += [await connection.fetchval("select $1::int4", 21)]
        await connection.reset_type_codec("int4", schema="pg_catalog")
        given += [await connection.fetchval("select $1::int4", 21)]
        await connection.set_type_codec("interval", schema="pg_catalog", encoder=_parts, decoder=list, format="tuple")
        given += [await connection.fetchval("select $1::interval + '1 day'::interval", 2)]
        await connection.set_type_codec("label", schema="goods", encoder=tuple, decoder=tuple, format="tuple")
        given += [await connection.fetchval("select $1::goods.label", ("m", Decimal(1), None))]
        await connection.set_type_codec("size", schema="goods", encoder=str.lower, decoder=str.upper)
        given += [await connection.fetchrow("select $1::goods.size, $2::goods.size[]", "S", ["M", None])]
        given += await errors_of(connection.fetchval("select 'xl'::goods.size"))
        try:
            await connection.set_type_codec("nothing", schema="goods", encoder=str, decoder=str)
        except ValueError as error:
            given.append(repr(error))
        return given


def _doubled(raw: bytes) -> int:
    return 2 * int.from_bytes(raw, "big")


def _parts(days: int) -> tuple[int, int, int]:
    return 0, days, 0


async def builtin_codecs(dsn: str) -> Any:
    """hstore by asyncpg's own codec for it, in a pool; and text for a type that has none."""

    async def init(connection: Any) -> None:
        await connection.set_builtin_type_codec("hstore", schema="public", codec_name="pg_contrib.hstore")
        await connection.set_builtin_type_codec("citext", schema="public", codec_name="text")

    async with connected(dsn) as connection:
        await connection.execute("create extension if not exists hstore; create extension if not exists citext")
    async with asyncpg.create_pool(dsn, min_size=2, max_size=2, init=init) as pool:
        given = [await pool.fetchrow("select 'a=>1, b=>null'::hstore, $1::hstore, $2::citext", {"c": "d"}, "Ab")]
        async with pool.acquire() as connection:
            given += [await connection.fetchval("select 'x=>y'::hstore -> 'x'"), await connection.fetchval("select 1")]
        return given


async def reloaded(dsn: str) -> Any:
    """All that is known of types is forgotten, and asked for again."""
    async with connected(dsn) as connection:
        await connection.execute(MADE)
        given = [await connection.fetchval("select '{s}'::goods.size[]")]
        await connection.reload_schema_state()
        return [*given, await connection.fetchval("select '{m}'::goods.size[]")]


SCENARIOS: tuple[Callable[[str], Awaitable[Any]], ...] = (introspected, codecs_of_all_forms, builtin_codecs, reloaded)
