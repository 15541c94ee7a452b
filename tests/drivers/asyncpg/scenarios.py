"""What an application does with asyncpg. Each returns what it saw; the harness runs it recorded and again in replay."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import ipaddress
import json
import os
import random
import uuid
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
from opentelemetry import trace

PART = "record"
"""`record` or `replay`: set by the process that runs a scenario."""

VALUES = (
    "true, false, 1::int2, -2::int4, 9007199254740993::int8, 4000000000::oid, 0.1::float4, 1e15::float8, "
    "'nan'::float8, '-inf'::float8, -0.0::float8, 1.50::numeric, 'NaN'::numeric, 1e-20::numeric, "
    "'text é \U0001f600'::text, 'v'::varchar(9), 'c'::char(3), 'n'::name, '\\x00ff5c'::bytea, ''::bytea, "
    "'2024-02-29'::date, 'infinity'::date, '12:30:01.5'::time, '12:30:01+02'::timetz, "
    "'2024-02-29 12:30:01.500001'::timestamp, '2024-02-29 12:30:01+02'::timestamptz, 'infinity'::timestamptz, "
    "'1 year 2 mons -3 days 04:05:06.7'::interval, '6f1c9a52-3b1e-4b43-9f61-5a2b4b1f0d3e'::uuid, "
    "'{\"a\": [1, null]}'::json, '{\"b\": 1.0}'::jsonb, '10.0.0.0/8'::inet, '10.0.0.0/8'::cidr, "
    "'08:00:2b:01:02:03'::macaddr, B'1010'::bit(4), B'101'::varbit, '(1,2)'::point, "
    "'((0,0),(1,1))'::box, '(1,2)'::tid, '16/B374D848'::pg_lsn, 12.5::numeric::money, "
    "'{1,NULL,3}'::int4[], '[2:3]={a,b}'::text[], '{{1,2},{3,4}}'::int8[], '{}'::uuid[], "
    "'[1,5)'::int4range, 'empty'::numrange, '[2024-01-01,)'::daterange, '{[1,2],[5,6]}'::int4multirange, "
    "'a b'::tsvector, 'a & b'::tsquery, '$.a'::jsonpath, row(1, 'x', null), null::text, ''::text"
)
"""Of R41."""


async def errors_of(*calls: Awaitable[Any]) -> list[Any]:
    """What each gives, or what it raises with all that the server said."""
    return [await _error_of(call) for call in calls]


async def _error_of(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except asyncpg.PostgresError as error:
        fields = error.as_dict()
        if fields.get("detail", "").startswith("Failing row"):
            del fields["detail"]  # a row of the table, which is masked as a whole
        return type(error).__name__, str(error).partition("\nDETAIL:  Failing row")[0], sorted(fields.items())
    except (asyncpg.InterfaceError, asyncio.TimeoutError) as error:
        return type(error).__name__, str(error)


@asynccontextmanager
async def connected(dsn: str, **options: Any) -> Any:
    connection = await asyncpg.connect(dsn, **options)
    try:
        yield connection
    finally:
        await connection.close()


async def values(dsn: str) -> Any:
    """Every type that a server has by itself, NULL, and as parameters."""
    async with connected(dsn) as connection:
        rows = [await connection.fetch(f"select {VALUES}") for _ in range(2)]
        sent = await connection.fetchrow(
            "select $1::int2, $2::int8, $3::numeric, $4::text, $5::bytea, $6::date, $7::timestamptz, $8::uuid, "
            "$9::jsonb, $10::int4[], $11::inet, $12::interval, $13::text, $14::bool, $15::float8, $16::int4range",
            1,
            1 << 40,
            Decimal("1.50"),
            "é",
            b"\0\xff",
            dt.date(2024, 2, 29),
            dt.datetime(2024, 2, 29, 12, tzinfo=dt.timezone.utc),
            uuid.UUID(int=7),
            json.dumps({"a": 1}),
            [1, None],
            ipaddress.ip_address("10.0.0.1"),
            dt.timedelta(days=1, seconds=2),
            None,
            True,
            0.1,
            asyncpg.Range(1, 5),
        )
    return rows, sent


async def calls(dsn: str) -> Any:
    """Every way to run a statement."""
    async with connected(dsn) as connection:
        await connection.execute("drop table if exists t; create table t (id serial primary key, name text unique)")
        given = [
            await connection.execute("insert into t(name) values ($1)", "n1"),
            await connection.execute("insert into t(name) values ('n2')"),
            await connection.executemany("insert into t(name) values ($1)", [(f"m{i}",) for i in range(50)]),
            await connection.fetch("select * from t where id < $1 order by id", 4),
            await connection.fetchrow("select * from t where id = $1", 1),
            await connection.fetchrow("select * from t where id = $1", 999),
            await connection.fetchval("select count(*) from t"),
            await connection.fetchval("select name from t order by id limit 1 offset $1", 3),
            await connection.fetchmany("insert into t(name) values ($1) returning id, name", [("f1",), ("f2",)]),
            await connection.fetch("select 1 where false"),
            await connection.execute("select 1; select 2"),
            await connection.fetch("select generate_series(1, 300) as n, repeat('x', 30) as t, null as nothing"),
        ]
        prepared = await connection.prepare("select name from t where id = any($1::int[]) order by id")
        given += [await prepared.fetch([1, 2]), await prepared.fetchval([3]), await prepared.fetchrow([4])]
        given += [prepared.get_attributes(), prepared.get_parameters(), prepared.get_statusmsg()]
        never = await connection.prepare("delete from t where id = $1 returning *")
        given += [never.get_attributes(), never.get_parameters()]
    return given


async def transactions(dsn: str) -> Any:
    """Commit, rollback, savepoints, isolation, errors inside and after them."""
    async with connected(dsn) as connection:
        await connection.execute("drop table if exists moved; create table moved (id int primary key)")
        async with connection.transaction(isolation="serializable"):
            await connection.execute("insert into moved values (1)")
            inner = await errors_of(_within(connection, "insert into moved values (1)"))
            await connection.execute("insert into moved values (2)")
        outer = connection.transaction()
        await outer.start()
        failed = await errors_of(connection.execute("select 1/0"), connection.fetch("select 2"))
        await outer.rollback()
        async with connection.transaction(), connection.transaction():
            await connection.execute("insert into moved values (3)")
        return inner, failed, await connection.fetch("select * from moved order by id")


async def _within(connection: Any, sql: str) -> Any:
    async with connection.transaction():
        return await connection.execute(sql)


async def cursors(dsn: str) -> Any:
    """Cursors by iteration and by hand, read to the end and left in the middle, moved forward."""
    async with connected(dsn) as connection, connection.transaction():
        rows = [row async for row in connection.cursor("select generate_series(1, $1::int) as n", 120)]
        some = []
        async for row in connection.cursor("select generate_series(1, 30) as n", prefetch=7):
            some.append(row)
            if len(some) == 10:
                break
        cursor = await connection.cursor("select generate_series(1, 20) as n")
        pages = [await cursor.fetch(5), await cursor.fetchrow(), await cursor.fetch(50), await cursor.fetch(5)]
        left = await connection.cursor("select generate_series(1, 20) as m")
        pages += [await left.fetch(3)]
        prepared = await connection.prepare("select generate_series(1, $1::int) as k")
        pages += [[row async for row in prepared.cursor(3, prefetch=2)]]
    return rows, some, pages


async def errors(dsn: str) -> Any:
    """What the server refuses: at Parse, at Bind, while it runs; and what asyncpg refuses by itself."""
    async with connected(dsn) as connection:
        await connection.execute("drop table if exists t; create table t (id int primary key check (id > 0))")
        return await errors_of(
            connection.fetch("selec 1"),
            connection.fetch("select * from nowhere"),
            connection.execute("selec 2"),
            connection.fetch("select 1/$1::int", 0),
            connection.fetch("select $1::int", "x"),
            connection.execute("insert into t values ($1)", -1),
            connection.execute("insert into t values (1)"),
            connection.execute("insert into t values (1)"),
            connection.executemany("insert into t values ($1)", [(2,), (3,), (3,), (4,)]),
            connection.fetch("select * from t order by id"),
            connection.execute("do $$ begin raise exception 'own' using errcode = 'UF001', hint = 'h'; end $$"),
        )


async def refused_when_run(dsn: str) -> Any:
    """What the server prepares, and refuses when it runs: each time with its own values."""
    names = ("nowhere", "nowhere", "neither")
    async with connected(dsn) as connection:
        await connection.execute("create temp table series as select * from generate_series(1, 5) as i")
        prepared = await connection.prepare("select ($1::text)::regclass")
        seen: list[Any] = [prepared.get_parameters(), prepared.get_attributes()]
        seen += await errors_of(*[prepared.fetch(name) for name in names])
        seen += await errors_of(*[connection.fetch("select 2, ($1::text)::regclass", name) for name in names])
        for sql in ("select 1 / 0", "select 1 / (i - 1) from series"):
            seen.append(await _where_it_ends(connection, sql))
    return seen


async def _where_it_ends(connection: Any, sql: str) -> str:
    """What the server refuses: to open the cursor, or to give its first page."""
    try:
        async with connection.transaction():
            place = "at the cursor"
            cursor = await connection.cursor(sql)
            place = "at its first page"
            await cursor.fetch(3)
    except asyncpg.PostgresError as error:
        return f"{error!r} {place}"
    return "nowhere"


async def timeouts(dsn: str) -> Any:
    """A client's timeout, a cancelled task, a server's timeout; the connection goes on."""
    async with connected(dsn) as connection:
        late = await errors_of(connection.fetch("select pg_sleep(5)", timeout=0.2), connection.fetchval("select 1"))
        task = asyncio.ensure_future(connection.fetch("select pg_sleep(6)"))
        await asyncio.sleep(0.2)
        task.cancel()
        cancelled = (await asyncio.gather(task, return_exceptions=True))[0]
        after = await connection.fetchval("select 2")
        await connection.execute("set statement_timeout = 100")
        told = await errors_of(connection.fetch("select pg_sleep(7)"))
        return late, repr(cancelled), after, told


async def gathered(dsn: str) -> Any:
    """Different answers to one statement, by way of a pool that several tasks share."""

    async def ask(pool: Any, number: int) -> Any:
        await asyncio.sleep(random.random() / 50 if PART == "record" else 0)
        return await pool.fetchval("select $1::int * 10 + nextval('many') * 0", number)

    async with asyncpg.create_pool(dsn, min_size=2, max_size=4) as pool:
        await pool.execute("drop sequence if exists many; create sequence many")
        found = await asyncio.gather(*(ask(pool, number) for number in range(30)))
        async with pool.acquire() as connection, connection.transaction():
            found.append(await connection.fetchval("select 7"))
        return found


async def codecs(dsn: str) -> Any:
    """Types of the application's own, and codecs for them, set up for each connection of a pool."""

    async def init(connection: Any) -> None:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        await connection.set_type_codec("shop_mood", schema="public", encoder=str, decoder=str.upper)
        await connection.set_type_codec("shop_duo", schema="public", encoder=tuple, decoder=list, format="tuple")

    async with connected(dsn) as connection:
        for name in (
            "type if exists shop_pair",
            "type if exists shop_duo",
            "type if exists shop_mood",
            "domain if exists shop_email",
        ):
            await connection.execute(f"drop {name} cascade")
        await connection.execute("create type shop_mood as enum ('sad', 'ok'); create domain shop_email as text")
        await connection.execute(
            "create type shop_pair as (a int, b shop_mood); create type shop_duo as (a int, b text)"
        )
        plain = await connection.fetch(
            "select 'ok'::shop_mood, array['ok','sad']::shop_mood[], row(1, 'ok')::shop_pair, 'a@b'::shop_email, "
            "array[row(2, 'sad')::shop_pair]"
        )
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2, init=init) as pool:
        coded = await pool.fetch(
            "select 'ok'::shop_mood, row(1, 'ok')::shop_duo, '{\"a\": [1]}'::jsonb, $1::shop_mood", "sad"
        )
    return plain, coded


async def changed(dsn: str) -> Any:
    """A cached statement whose table has changed: asyncpg prepares it again, but not inside a transaction."""
    async with connected(dsn) as connection:
        await connection.execute("drop table if exists grown; create table grown (id int)")
        await connection.execute("insert into grown values (1)")
        before = await connection.fetch("select * from grown")
        await connection.execute("alter table grown add column name text default 'x'")
        after = await connection.fetch("select * from grown")
        await connection.execute("alter table grown add column more int default 5")
        transaction = connection.transaction()
        await transaction.start()
        inside = await errors_of(connection.fetch("select * from grown"))
        await transaction.rollback()
        return before, after, inside, await connection.fetch("select * from grown")


async def settings(dsn: str) -> Any:
    """Settings that the server reports, and notices."""
    async with connected(dsn, server_settings={"application_name": "shop"}) as connection:
        said: list[str] = []
        connection.add_log_listener(lambda _, message: said.append(message.message))
        first = connection.get_settings().TimeZone
        await connection.execute("set time zone 'Asia/Tokyo'")
        second = connection.get_settings().TimeZone
        await connection.execute("do $$ begin raise notice 'noted'; end $$")
        await connection.fetchval("select 1")
        connection._drop_local_statement_cache()
        return first, second, connection.get_settings().application_name, said, connection.get_server_version()


async def copies(dsn: str) -> Any:
    """COPY in every variant, in text, CSV and binary; one that the server refuses."""
    out: list[bytes] = []

    async def keep(data: bytes) -> None:
        out.append(bytes(data))

    async def rows() -> Any:
        for number in range(3):
            yield f"{number + 500}\tr{number}\n".encode()

    async with connected(dsn) as connection:
        await connection.execute("drop table if exists copied; create table copied (id int primary key, name text)")
        given = [
            await connection.copy_records_to_table("copied", records=[(n, f"é{n}") for n in range(200)]),
            await connection.copy_to_table("copied", source=io.BytesIO(b"300,a\n301,\n"), format="csv"),
            await connection.copy_to_table("copied", source=rows()),
            await connection.copy_from_query("select * from copied where id < $1 order by id", 3, output=keep),
            await connection.copy_from_table("copied", output=keep, format="binary"),
            await connection.copy_from_query("select 1 where false", output=keep, format="csv", header=True),
        ]
        given += await errors_of(
            connection.copy_records_to_table("copied", records=[(1, "again")]),
            connection.copy_to_table("copied", source=io.BytesIO(b"x\ty\n")),
            connection.copy_from_query("select 1/0", output=keep),
            connection.fetchval("select count(*) from copied"),
        )
    return given, b"".join(out)


async def notified(dsn: str) -> Any:
    """Notifications that come with the answer to NOTIFY."""
    heard: list[Any] = []
    async with connected(dsn) as connection:
        await connection.add_listener("shop", lambda _, pid, channel, payload: heard.append((channel, payload)))
        await connection.execute("notify shop, 'open'")
        await connection.fetchval("select pg_notify('shop', $1)", "shut")
        await connection.fetchval("select 1")
        await connection.reset()
    return heard


async def listened(dsn: str) -> Any:
    """Notifications of another connection, while this one waits for nothing."""
    heard: asyncio.Queue[Any] = asyncio.Queue()
    async with connected(dsn) as connection, connected(dsn) as other:
        await connection.add_listener("shop", lambda _, pid, channel, payload: heard.put_nowait((channel, payload)))
        given = []
        for number in range(3):
            await other.execute("select pg_notify('shop', $1)", str(number))
            given.append(await asyncio.wait_for(heard.get(), 60))
            given.append(await connection.fetchval("select $1::int", number))
        await connection.reset()
    return given


async def broken(dsn: str) -> Any:
    """A server that ends the connection, and one that goes away without a word."""
    async with connected(dsn) as other:
        connection = await asyncpg.connect(dsn)
        pid = await connection.fetchval("select pg_backend_pid()")
        waiting = asyncio.ensure_future(errors_of(connection.fetch("select pg_sleep(10)")))
        await asyncio.sleep(0.2)
        ended = await other.fetchval("select pg_terminate_backend($1)", pid)
        given = [await waiting, connection.is_closed(), ended]
        return given, await errors_of(connection.fetch("select 1"))


async def uncached(dsn: str) -> Any:
    """As behind pgbouncer: no cache of statements, all of them without a name."""
    async with connected(dsn, statement_cache_size=0) as connection:
        given = [await connection.fetch("select $1::int[], now() > '2000-01-01'", [number]) for number in range(3)]
        return given, await connection.executemany("select $1::int", [(1,), (2,)])


async def own_warm_pool(dsn: str) -> Any:
    """A pool that was warm before the trace: statements prepared, types learnt, codecs set."""

    async def init(connection: Any) -> None:
        await connection.set_type_codec("warm", schema="public", encoder=str, decoder=str.upper)

    tracer = trace.get_tracer("tests")
    if PART == "record":
        async with connected(dsn) as connection:
            await connection.execute("drop type if exists warm cascade; create type warm as enum ('a', 'b')")
            await connection.execute("drop table if exists heated; create table heated (id int, kinds warm[])")
            await connection.execute("insert into heated values (1, '{a,b}'), (2, null)")
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=1, init=init)
    sql = "select id, kinds, 'a'::warm as one, $1::int as asked from heated order by id"
    if PART == "record":
        for number in range(3):
            await pool.fetch(sql, -number)
        await pool.copy_records_to_table("heated", records=[(6,)], columns=["id"])
    with tracer.start_as_current_span("warm"):
        async with pool.acquire() as connection, connection.transaction():
            given = [await connection.fetch(sql, number) for number in range(3)]
            given += [await connection.copy_records_to_table("heated", records=[(n,)], columns=["id"]) for n in (7, 8)]
    await pool.close()
    return given


async def alchemy(dsn: str) -> Any:
    """SQLAlchemy over asyncpg: core and ORM, a failed flush, a savepoint, a stream."""
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    from tests.drivers.asyncpg.orm import Base, Item

    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://").partition("?")[0])
    given: list[Any] = []
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine, expire_on_commit=False) as session:
        items = [Item(name=f"n{i}", price=Decimal(i) / 4, extra={"i": i}) for i in range(5)]
        session.add_all(items)
        await session.commit()
        given += [each.id for each in items]
        try:
            async with session.begin_nested():
                session.add(Item(name="n1", price=Decimal(1), extra={}))
        except sa.exc.IntegrityError as error:
            given.append(str(error.orig))
        found = await session.scalars(sa.select(Item).where(Item.price > Decimal("0.4")).order_by(Item.id))
        given += [(each.name, each.price, each.extra) for each in found]
        stream = await session.stream(sa.select(Item.id).order_by(Item.id))
        given += [row async for row in stream]
        await session.commit()
    await engine.dispose()
    return given


async def own_parallel(dsn: str) -> Any:
    """Selects with different answers, in an order and over a pool that are others in replay."""
    order = list(range(20))
    random.Random(os.environ.get("SEED", PART)).shuffle(order)

    async def ask(pool: Any, number: int) -> Any:
        await asyncio.sleep(order.index(number) / 1000)
        return await pool.fetchrow("select $1::int as asked, nextval('parallel') as given", number)

    async with asyncpg.create_pool(dsn, min_size=1, max_size=5 if PART == "record" else 1) as pool:
        if PART == "record":
            await pool.execute("drop sequence if exists parallel; create sequence parallel")
        with trace.get_tracer("tests").start_as_current_span("parallel"):
            return await asyncio.gather(*(ask(pool, number) for number in range(20)))


async def own_far(dsn: str) -> Any:
    """50,000 rows by a cursor, and ten of as many."""
    async with connected(dsn) as connection:
        with trace.get_tracer("tests").start_as_current_span("far"):
            async with connection.transaction():
                cursor = await connection.cursor("select generate_series(1, 50000)")
                total = 0
                while page := await cursor.fetch(1000):  # `async for` would have a span by the row
                    total += sum(number for (number,) in page)
            some = []
            async with connection.transaction():
                async for row in connection.cursor("select generate_series(1, 50000) as n", prefetch=1000):
                    some.append(row)
                    if len(some) == 10:
                        break
    return total, some


async def own_far_and_wide(dsn: str) -> Any:
    """50,000 rows of 200 bytes by a cursor, in a hundred round trips."""
    async with connected(dsn) as connection:
        with trace.get_tracer("tests").start_as_current_span("far"):
            async with connection.transaction():
                cursor = await connection.cursor("select i, repeat('x', 200) as text from generate_series(1, 50000) i")
                total = 0
                while page := await cursor.fetch(500):
                    total += sum(len(row["text"]) + row["i"] for row in page)
                return total


async def own_elsewhere(dsn: str) -> Any:
    """Statements of other threads, with loops of their own; one that nobody is to see."""
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    def thread() -> Any:
        async def ask() -> Any:
            async with connected(dsn) as connection:
                return await connection.fetchrow("select 7 as seven, pg_sleep(0.1)::text")

        return asyncio.run(ask())

    with trace.get_tracer("tests").start_as_current_span("elsewhere"):
        given = await asyncio.to_thread(thread)
        if PART == "record":
            async with connected(dsn) as connection:
                with suppress_instrumentation():
                    await connection.fetchval("select 'hidden'")
    return given


async def own_pinged(dsn: str) -> Any:
    """An engine whose pool looks before each use whether the connection lives; warm in one run, cold in the other."""
    import sqlalchemy as sa
    from sqlalchemy.ext.asyncio import create_async_engine

    heat = os.environ["HEAT"]
    url = dsn.replace("postgresql://", "postgresql+asyncpg://").partition("?")[0]
    engine = create_async_engine(url, pool_pre_ping=True, pool_size=2 if heat == "warm" else 1)
    if heat != "cold":
        async with engine.connect():
            pass
    with trace.get_tracer("tests").start_as_current_span("warm"):
        given: list[Any] = []
        for number in range(3):
            async with engine.connect() as connection:
                given.append((await connection.execute(sa.text("select :a + 1"), {"a": number})).all())
        strict = engine.execution_options(isolation_level="SERIALIZABLE")
        for each in (strict, engine):  # afterwards the pool's connection names the level that a new one has
            async with each.begin() as connection:
                given.append((await connection.execute(sa.text("show transaction_isolation"))).scalar())
    await engine.dispose()
    return given


SCENARIOS: tuple[Callable[[str], Awaitable[Any]], ...] = (
    values,
    calls,
    transactions,
    cursors,
    errors,
    refused_when_run,
    timeouts,
    gathered,
    codecs,
    changed,
    settings,
    copies,
    notified,
    listened,
    broken,
    uncached,
    alchemy,
)
