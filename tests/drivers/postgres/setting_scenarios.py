"""Settings that a server reports to its clients, as transactions, pools and the driver itself change them."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from opentelemetry import trace

PART = "record"
"""`record` or `replay`: set by the process that runs a scenario."""

NAMES: Final = ("TimeZone", "DateStyle", "IntervalStyle", "client_encoding", "application_name")
VALUES: Final = (
    "select '2024-05-01 10:00+02'::timestamptz, '2024-02-29'::date, '1 year 2 mons 3 days'::interval, "
    "'é'::text, current_setting('TimeZone'), current_setting('DateStyle')"
)
STEPS: Final = (
    "set time zone 'Asia/Tokyo'",
    "begin",
    "set time zone 'America/Lima'",
    "savepoint one",
    "set local time zone 'Europe/Paris'",
    "set datestyle = 'German'",
    "savepoint two",
    "set intervalstyle = 'sql_standard'",
    "rollback to savepoint two",
    "rollback to savepoint one",
    "rollback",
    "begin",
    "set local time zone 'Europe/Oslo'",
    "set application_name = 'kept'",
    "commit",
    "begin",
    "set local datestyle = 'SQL, DMY'",
    "set time zone 'Africa/Cairo'",
    "select 1/0",
    "rollback",
    "set datestyle to 'ISO, DMY'",
    "set client_encoding to 'LATIN1'",
    "set client_encoding to 'UTF8'",
    "begin; set time zone 'Asia/Dubai'; commit",
    "select set_config('TimeZone', 'Asia/Seoul', false)",
    "begin",
    "select set_config('TimeZone', 'Asia/Kabul', true)",
    "commit",
    "set time zone interval '-03:30' hour to minute",
    "set time zone 5",
    "reset time zone",
    "set session characteristics as transaction read only",
    "reset all",
    "discard all",
)
"""Of each what the server reports is looked at; and what values look like then."""


def psycopg_settings(dsn: str) -> Any:
    import psycopg

    seen: list[Any] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for step in STEPS:
            try:
                connection.execute(step)
            except psycopg.Error as error:
                seen.append(error.sqlstate)
            seen.append([connection.info.parameter_status(name) for name in NAMES])
            seen.append(connection.info.transaction_status.name)
            if connection.info.transaction_status.name != "INERROR":
                seen += [_shown(connection, binary) for binary in (False, True)]
    return seen


def _shown(connection: Any, binary: bool) -> Any:
    """Some spellings of dates psycopg does not read: then it says so."""
    try:
        return connection.execute(VALUES, binary=binary).fetchone()
    except Exception as error:  # noqa: BLE001  which one is what counts
        return type(error).__name__, str(error)


async def asyncpg_settings(dsn: str) -> Any:
    import asyncpg

    seen: list[Any] = []
    connection = await asyncpg.connect(dsn)
    try:
        for step in STEPS:
            if "client_encoding" in step or step == "discard all":
                continue  # asyncpg speaks UTF-8 only, and needs its prepared statements
            try:
                await connection.execute(step)
            except asyncpg.PostgresError as error:
                seen.append(error.sqlstate)
            settings = connection.get_settings()
            seen.append([getattr(settings, name, None) for name in NAMES])
            if step != "select 1/0":
                seen.append(await connection.fetchrow(VALUES))
    finally:
        await connection.close()
    return seen


def _is_warm(scenario: str) -> bool:
    """Warm before the request while it is recorded, cold in replay: and the other way round."""
    return (PART == "record") == scenario.endswith("warm")


def psycopg_pool_warm(dsn: str) -> Any:
    return _psycopg_pool(dsn, "warm")


def psycopg_pool_cold(dsn: str) -> Any:
    return _psycopg_pool(dsn, "cold")


def _psycopg_pool(dsn: str, name: str) -> Any:
    """A pool that sets each new connection up."""
    from psycopg_pool import ConnectionPool

    def configure(connection: Any) -> None:
        connection.execute("set time zone 'Asia/Tokyo'")
        connection.execute("set datestyle = 'ISO, YMD'")
        connection.commit()

    size = 1 if _is_warm(name) else 0
    with ConnectionPool(dsn, min_size=size, max_size=1, configure=configure, open=True, timeout=5) as pool:
        if size:
            pool.wait()
        with trace.get_tracer("tests").start_as_current_span(name), pool.connection() as connection:
            statuses = [connection.info.parameter_status(each) for each in NAMES]
            row = connection.execute("select '2024-05-01 10:00+02'::timestamptz, %s::timestamptz", (_moment(),))
            return statuses, row.fetchone(), str(connection.info.timezone)


async def asyncpg_pool_warm(dsn: str) -> Any:
    return await _asyncpg_pool(dsn, "warm")


async def asyncpg_pool_cold(dsn: str) -> Any:
    return await _asyncpg_pool(dsn, "cold")


async def _asyncpg_pool(dsn: str, name: str) -> Any:
    import asyncpg

    async def init(connection: Any) -> None:
        await connection.execute("set time zone 'Asia/Tokyo'")
        await connection.execute("set intervalstyle = 'iso_8601'")

    size = 1 if _is_warm(name) else 0
    settings = {"application_name": "shop", "search_path": "public"}
    async with asyncpg.create_pool(dsn, min_size=size, max_size=1, init=init, server_settings=settings) as pool:
        with trace.get_tracer("tests").start_as_current_span(name):
            async with pool.acquire() as connection:
                settings = connection.get_settings()
                row = await connection.fetchrow("select now() > $1, current_setting('TimeZone')", _moment())
                return [getattr(settings, each) for each in NAMES], row


def _moment() -> dt.datetime:
    return dt.datetime(2024, 5, 1, 8, tzinfo=dt.timezone.utc)
