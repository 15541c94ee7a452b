"""What goes wrong between an application and its server: at connecting, in the middle of a statement, by giving up."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from tests.drivers.psycopg.scenarios import errors_of
from tests.servers.proxy import RecordingProxy


def _raised(call: Any) -> Any:
    try:
        return call()
    except psycopg.Error as error:
        return type(error).__name__, error.sqlstate, str(error)


def refused_connects(dsn: str) -> Any:
    """No such database, user, server, host; some of several; then one that succeeds."""
    seen = [
        _raised(lambda: psycopg.connect(dsn, dbname="nothing_here")),
        _raised(lambda: psycopg.connect(dsn, user="nobody")),
        _raised(lambda: psycopg.connect(dsn, port=1)),
        _raised(lambda: psycopg.connect(dsn, host="127.0.0.1,127.0.0.1", port="1,2")),
        _raised(lambda: psycopg.connect(dsn, host="no-such-host.invalid")),
        _raised(lambda: psycopg.connect(dsn, sslmode="require").close()),  # where it has TLS it succeeds
        _raised(lambda: psycopg.connect(dsn, sslmode="verify-full", sslrootcert="/nowhere/ca.pem")),
        _raised(lambda: psycopg.connect(dsn, user="nobody", password="x")),
        *_too_many_connects(dsn),
    ]
    with psycopg.connect(dsn) as connection:
        seen.append(connection.execute("select 1").fetchone())
    seen.append(_raised(lambda: psycopg.connect(dsn, dbname="nothing_here")))
    with psycopg.connect(make_conninfo(dsn, host="127.0.0.1,127.0.0.1", port=f"1,{_port(dsn)}")) as connection:
        seen.append(connection.execute("select 2").fetchone())
    return seen


def _too_many_connects(dsn: str) -> list[Any]:
    """By a role that may have one, with the password of the caller's own; then with a wrong one."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("drop role if exists single")
        admin.execute("create role single login connection limit 1")
        admin.execute(
            "update pg_authid set rolpassword = (select rolpassword from pg_authid where rolname = current_user) "
            "where rolname = 'single'"
        )
        with psycopg.connect(dsn, user="single"):
            return [
                _raised(lambda: psycopg.connect(dsn, user="single")),
                _raised(lambda: psycopg.connect(dsn, user="single", password="wrong")),
            ]


def _port(dsn: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(dsn)["port"])


def connects(dsn: str, names: Sequence[str]) -> Any:
    """Connections to databases of these names, one after the other."""
    return [_raised(lambda name=name: _connected(dsn, name)) for name in names]


def _connected(dsn: str, name: str) -> Any:
    with psycopg.connect(dsn, dbname=name) as connection:
        return connection.execute("select 1").fetchone()


async def refused_connects_async(dsn: str) -> Any:
    seen: list[Any] = []
    for changed in ({"dbname": "nothing_here"}, {"host": "no-such-host.invalid"}, {"port": 1}):
        try:
            await psycopg.AsyncConnection.connect(dsn, **changed)
        except psycopg.Error as error:
            seen.append((type(error).__name__, str(error)))
    return seen


def lost(dsn: str) -> Any:
    """The server ends the connection: in a statement, between two, in a transaction, in a stream; a new one works."""
    seen: list[Any] = []
    with psycopg.connect(dsn, autocommit=True) as killer:
        for victim in (_in_a_statement, _between_two, _in_a_transaction, _in_a_stream, _in_a_pipeline):
            connection = psycopg.connect(dsn, application_name="victim", autocommit=victim is not _in_a_transaction)
            seen += [_raised(lambda victim=victim, it=connection: victim(it, killer)), connection.closed]
            seen.append(_raised(lambda it=connection: it.execute("select 'afterwards'")))
            connection.close()
    seen += _cut_off(dsn)
    return [each[:2] if isinstance(each, tuple) else each for each in seen]


def _cut_off(dsn: str) -> list[Any]:
    """Without a word of the server's. In replay nobody comes to the proxy: the connection breaks by itself."""
    proxy = RecordingProxy(int(_port(dsn)))
    try:
        with psycopg.connect(dsn, port=proxy.port, autocommit=True) as connection:
            threading.Timer(0.3, proxy.cut).start()
            return [_raised(lambda: connection.execute("select pg_sleep(20)")), connection.closed]
    finally:
        proxy.stop()


def _kill(killer: psycopg.Connection[Any]) -> None:
    killer.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'")


def _in_a_statement(connection: psycopg.Connection[Any], killer: psycopg.Connection[Any]) -> Any:
    return connection.execute("select pg_terminate_backend(pg_backend_pid()), pg_sleep(5)").fetchone()


def _in_a_pipeline(connection: psycopg.Connection[Any], killer: psycopg.Connection[Any]) -> Any:
    with connection.pipeline():
        connection.execute("select 1")
        connection.execute("select pg_terminate_backend(pg_backend_pid())")
        connection.execute("select 2").fetchone()


def _between_two(connection: psycopg.Connection[Any], killer: psycopg.Connection[Any]) -> Any:
    connection.execute("select 1")
    _kill(killer)
    return connection.execute("select 'between'").fetchone()


def _in_a_transaction(connection: psycopg.Connection[Any], killer: psycopg.Connection[Any]) -> Any:
    connection.execute("select 1")
    _kill(killer)
    return connection.commit()


def _in_a_stream(connection: psycopg.Connection[Any], killer: psycopg.Connection[Any]) -> Any:
    end = "case when i = 5000 then pg_terminate_backend(pg_backend_pid()) end"
    query = f"select i, {end} from generate_series(1, 6000) i"
    return [row[0] for row in connection.cursor().stream(query)]


def cancelled(dsn: str) -> Any:
    """By another thread, safely or not; by the server's own limit; by a limit that is taken back."""
    seen: list[Any] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for cancel in (connection.cancel, getattr(connection, "cancel_safe", connection.cancel)):
            timer = threading.Timer(0.3, cancel)
            timer.start()
            began = time.monotonic()
            seen += [_raised(lambda: connection.execute("select pg_sleep(20)")), time.monotonic() - began > 0.2]
            timer.join()
        connection.cancel()
        connection.execute("set statement_timeout = 100")
        seen.append(_raised(lambda: connection.execute("select pg_sleep(20)")))
        connection.execute("set statement_timeout = 0")
        seen.append(connection.execute("select 1").fetchone())
    return seen


async def cancelled_async(dsn: str) -> Any:
    """A task that is cancelled, a limit of the app, `cancel_safe` by another task."""
    seen: list[Any] = []
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        task = asyncio.create_task(_sleep(connection))
        await asyncio.sleep(0.3)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            seen.append("cancelled")
        try:
            await asyncio.wait_for(_sleep(connection), 0.3)
        except asyncio.TimeoutError:
            seen.append("timeout")
        task = asyncio.create_task(_sleep(connection))
        await asyncio.sleep(0.3)
        await connection.cancel_safe()
        try:
            await task
        except psycopg.Error as error:
            seen.append((type(error).__name__, str(error)))
        seen.append(await (await connection.execute("select 1")).fetchone())
    return seen


async def _sleep(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute("select pg_sleep(20)")


def conflicts(dsn: str) -> Any:
    """A deadlock, a serialization failure at COMMIT, 25P02."""
    with psycopg.connect(dsn) as one, psycopg.connect(dsn) as two:
        seen: list[Any] = []
        one.execute("drop table if exists counters")
        one.execute("create table counters (id int primary key, n int)")
        one.execute("insert into counters values (1, 0), (2, 0)")
        one.commit()
        seen += _deadlock(one, two)
        for each in (one, two):
            each.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            each.execute("select sum(n) from counters").fetchone()
        one.execute("update counters set n = 1 where id = 1")
        two.execute("update counters set n = 1 where id = 2")
        seen += errors_of(one.commit, two.commit)
        seen += errors_of(lambda: two.execute("selec"), lambda: two.execute("select 1"), two.rollback)
    return seen


def _deadlock(one: psycopg.Connection[Any], two: psycopg.Connection[Any]) -> list[Any]:
    """Which of both it is that fails, the server decides."""
    for number, connection in ((1, one), (2, two)):
        connection.execute("set local deadlock_timeout = 100")
        connection.execute(f"update counters set n = n + 1 where id = {number}")
    with ThreadPoolExecutor(2) as threads:
        ends = [
            threads.submit(contextvars.copy_context().run, _raised, lambda it=connection, to=other: _add(it, to))
            for connection, other in ((one, 2), (two, 1))
        ]
    seen = [end.result() for end in ends]
    one.rollback()
    two.rollback()
    return seen


def _add(connection: psycopg.Connection[Any], number: int) -> Any:
    return connection.execute(f"update counters set n = n + 1 where id = {number}").statusmessage


async def impatient(dsn: str) -> Any:
    """Limits of libpq and of the app while it connects."""
    seen: list[Any] = []
    try:
        await psycopg.AsyncConnection.connect(dsn, connect_timeout=2)
    except psycopg.Error as error:
        seen.append((type(error).__name__, str(error)))
    try:
        await asyncio.wait_for(psycopg.AsyncConnection.connect(dsn), 0.3)
    except asyncio.TimeoutError as error:
        seen.append(type(error).__name__)
    return seen
