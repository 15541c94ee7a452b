"""What the taps put on the tape."""

from __future__ import annotations

import asyncio
import gc
import io
import struct
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, cast

import asyncpg
import psycopg
import pytest
from opentelemetry import context

from tests.drivers.asyncpg import scenarios
from tests.drivers.asyncpg.here import record_here, replay_here
from tests.drivers.asyncpg.taping import Tape, taps, values
from tests.servers.postgres import PostgresServer
from timetracer_otel.drivers.asyncpg import endings, listening, tracking
from timetracer_otel.drivers.asyncpg.housework import housework
from timetracer_otel.drivers.asyncpg.record import RECORDING
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.drivers.postgres.executions import apart
from timetracer_otel.wire.postgres.responses import is_ended


@pytest.fixture
def tape() -> Iterator[Tape]:
    with taps() as tape:
        yield tape


def run(postgres: PostgresServer, work: Callable[[Any], Any], **options: Any) -> Any:
    async def connected() -> Any:
        async with scenarios.connected(postgres.dsn, **options) as connection:
            return await work(connection)

    return asyncio.run(connected())


def test_a_statement_stands_as_it_travelled(postgres: PostgresServer, tape: Tape) -> None:
    run(postgres, lambda connection: connection.fetch("select $1::int4 as a, $2::text as b, null as c", 7, "x"))
    (exchange,) = tape.exchanges
    assert exchange.request == {
        "op": "query",
        "statement": "select $1::int4 as a, $2::text as b, null as c",
        "parameters": [b"\0\0\0\7", b"x"],
        "parameter_types": [23, 25],
        "parameter_formats": [1, 1],
        "prepared": True,
        "result_format": 1,
    }
    assert values(exchange) == [[b"\0\0\0\7"], [b"x"], [None]]
    assert exchange.result["tx"] == "I"


LONG = "select repeat('x', 100000), pg_sleep(0.002) from generate_series(1, 2000)"
"""Takes four seconds on every machine, and has much to send from the first."""


def test_what_still_comes_of_a_large_answer_after_its_timeout_is_not_looked_through_with_each_chunk(
    postgres: PostgresServer, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = list[int]()

    def walking(data: bytes) -> bool:
        walked.append(len(data))
        return is_ended(data)

    async def work(connection: Any) -> str:
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch(LONG, timeout=0.5)
        (late,) = tape.captured
        assert len(cast(Any, late.request).operation.heard) > 5
        return str(await connection.fetchval("select 'after'"))

    monkeypatch.setattr(tracking, "is_ended", walking)
    assert run(postgres, work) == "after"
    assert 1 <= len(walked) <= 2
    assert [exchange.request["statement"] for exchange in tape.exchanges][-1] == "select 'after'"


def test_the_error_behind_many_rows_is_recorded_without_a_walk_over_them(
    postgres: PostgresServer, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walked(_: bytes) -> NoReturn:
        raise AssertionError("row by row")

    async def work(connection: Any) -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetch("select 1 / (1000 - i) from generate_series(1, 1000) i")

    monkeypatch.setattr(tracking, "is_ended", walked)
    run(postgres, work)
    (exchange,) = tape.asked()
    assert exchange.complete
    assert cast("dict[str, str]", exchange.result["error"])["C"] == "22012"


def test_nothing_is_kept_of_what_comes_while_nobody_records_but_what_the_server_says_of_itself(
    postgres: PostgresServer, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(connection: Any) -> None:
        tracked = connection._protocol._timetracer
        assert tracked.handshake is None
        await connection.fetch("select repeat('x', 1000) from generate_series(1, 1000)")
        await connection.execute("set timezone = 'Asia/Tokyo'")
        assert (tracked.handshake, tracked.current) == (None, None)
        monkeypatch.setattr(tape, "listens", lambda: True)
        await connection.execute("set datestyle = 'German'")
        await connection.fetchval("select 1")

    monkeypatch.setattr(tape, "listens", lambda: False)
    run(postgres, work)
    (known,) = tape.connections
    parameters = cast("dict[str, str]", known.parameters["parameters"])
    assert (parameters["TimeZone"], parameters["DateStyle"]) == ("Asia/Tokyo", "ISO, MDY")
    assert {"server_version", "client_encoding"} <= parameters.keys()


def test_of_statements_without_a_name_the_last_are_known_and_those_with_one_are_not_looked_at() -> None:
    class Unwalked(dict[str, tracking.Prepared]):
        items = keys = values = __iter__ = None  # type: ignore[assignment]

    tracked = tracking.Tracked("postgresql://db", "shop", "app")
    tracked.prepared = Unwalked()
    for number in range(40):
        tracked.remember(f"name{number}", tracking.Prepared(f"select {number}"))
        tracked.remember("", tracking.Prepared(f"select {number}"))
    tracked.remember("", tracking.Prepared("select 30"))
    tracked.forget("select 39")
    assert list(tracked.unnamed) == [f"select {number}" for number in (*range(24, 30), *range(31, 39), 30)]
    assert len(tracked.prepared) == 40 + 15


def test_a_long_statement_is_gone_when_nobody_needs_it() -> None:
    class Sql(str):
        pass

    sql = Sql("insert into logs values " + "('x')," * 10_000)
    gone = weakref.ref(sql)
    assert housework(sql) is None
    del sql
    assert gone() is None


def test_rows_are_not_walked_over_where_a_message_among_them_is_looked_for(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walked(_: bytes) -> NoReturn:
        raise AssertionError("row by row")

    tracked = tracking.Tracked("postgresql://db", "shop", "app")
    operation = tracking.Operation(tracking.Kind.STATEMENT, tracking.Prepared("select 1"))
    operation.heard = [b"D" + struct.pack("!IHI", 14, 1, 4) + b"text"] * 3
    monkeypatch.setattr(tracking, "is_ended", walked)
    assert not operation.is_answered
    monkeypatch.setattr(endings, "spans", walked)
    endings.break_off(None, tracked, operation, "gone")
    tracked.listens_for = context.get_current()
    monkeypatch.setattr(listening, "spans", walked)
    listening.heard(tracked, operation.heard[0])
    assert tape.captured == []


def test_an_answer_is_gone_with_its_exchange_and_waits_for_no_collection_of_garbage(
    postgres: PostgresServer, tape: Tape
) -> None:
    async def work(connection: Any) -> list[str]:
        gc.disable()
        try:
            for statement in ("select 'first'", "select 'second'"):
                await connection.fetchval(statement)
            tape.captured.clear()
            return [each.prepared.sql for each in gc.get_objects() if type(each) is tracking.Operation]
        finally:
            gc.enable()

    assert "select 'first'" not in run(postgres, work)


@pytest.mark.parametrize("count", [2, 19, 20, 1500])
def test_all_executions_of_many_are_one_exchange_and_come_apart(
    postgres: PostgresServer, tape: Tape, count: int
) -> None:
    run(
        postgres, lambda connection: connection.fetchmany("select $1::int, $2::text", [(n, None) for n in range(count)])
    )
    (exchange,) = tape.exchanges
    assert exchange.result["executions"] == [[1, "SELECT 1", count]]
    parts = apart(exchange)
    sent: Any = [each.request["parameters"] for each in parts]
    assert [int.from_bytes(value, "big") for value, _ in sent] == list(range(count))
    assert all(values(each) == [[value], [None]] for each, (value, _) in zip(parts, sent, strict=True))
    assert len({each.id for each in parts}) == count
    assert [each.result.get("tx") for each in parts[-2:]] == [None, "I"]


def test_one_execution_of_many_is_as_any_other_statement(postgres: PostgresServer, tape: Tape) -> None:
    run(postgres, lambda connection: connection.executemany("select $1::int", [(7,)]))
    (exchange,) = tape.exchanges
    assert exchange.request["parameters"] == [b"\0\0\0\7"]
    assert values(exchange) == [[b"\0\0\0\7"]]


def test_many_of_none_are_no_exchange(postgres: PostgresServer, tape: Tape) -> None:
    run(postgres, lambda connection: connection.executemany("select $1::int", []))
    assert tape.asked() == []


def test_a_failed_one_of_many_is_the_last(postgres: PostgresServer, tape: Tape) -> None:
    async def work(connection: Any) -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.executemany("select 1/$1::int", [(2,), (0,), (1,)])

    run(postgres, work)
    (exchange,) = tape.exchanges
    assert [("error" in each.result) for each in apart(exchange)] == [False, True]


def test_many_that_the_driver_itself_gives_up_replay_as_they_were(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def program(dsn: str) -> list[Any]:
        # How many fit into what asyncpg sends at once depends on the name of the statement: it counts in hexadecimal.
        monkeypatch.setattr(asyncpg.connection, "_uid", 0)
        async with scenarios.connected(dsn) as connection:
            found = []
            for values in ([(1,), ("x",)], [(n,) for n in range(3000)] + [("y",)]):
                try:
                    found.append(await connection.executemany("select $1::int", values))
                except asyncpg.DataError as error:
                    found.append(str(error))
            return [*found, await connection.fetchval("select 2")]

    recorded = record_here(program, postgres.dsn)
    replayed = replay_here(program, recorded.exchanges, recorded.connections)
    assert recorded.given[2] == "2"
    assert (replayed.given, replayed.misses, replayed.is_used_up) == (recorded.given, [], True)


def test_recording_many_executions_takes_no_step_for_each(postgres: PostgresServer, tape: Tape) -> None:
    """Calls of the recorder, counted: a hundred times the values take no more of them, but for pieces of the answer."""
    few, many = (_calls(postgres, count) for count in (10, 1000))
    assert many < few + 200


def _calls(postgres: PostgresServer, count: int) -> int:
    calls = 0

    def note(frame: Any, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and "timetracer_otel" in frame.f_code.co_filename

    async def work(connection: Any) -> None:
        sys.setprofile(note)
        await connection.executemany("select $1::int", [(n,) for n in range(count)])
        sys.setprofile(None)

    run(postgres, work)
    return calls


def test_pages_of_a_cursor_are_one_exchange(postgres: PostgresServer, tape: Tape) -> None:
    async def work(connection: Any) -> int:
        async with connection.transaction():
            return len([row async for row in connection.cursor("select generate_series(1, 5000)", prefetch=700)])

    assert run(postgres, work) == 5000
    found = [each for each in tape.exchanges if each.request.get("portal")]
    results: Any = found[0].result["results"]
    assert (len(found), results[0]["rows"], results[0]["tag"], len(results)) == (1, 5000, "SELECT 100", 1)
    assert found[0].transaction is not None


def test_what_asyncpg_asks_about_types_is_the_catalogue_of_the_connection(postgres: PostgresServer, tape: Tape) -> None:
    async def work(connection: Any) -> None:
        await connection.execute("drop type if exists hue cascade; create type hue as enum ('red')")
        await connection.fetch("select array['red']::hue[]")

    run(postgres, work)
    assert not [each for each in tape.exchanges if "typeinfo_tree" in str(each.request["statement"])]
    types: Any = tape.connections[-1].parameters["types"]
    assert {(one["name"], one["kind"]) for one in types} == {("hue", "e"), ("_hue", "b")}


def test_the_catalogue_of_a_connection_is_known_that_was_asked_nothing_else(
    postgres: PostgresServer, tape: Tape
) -> None:
    """As of a pool that is made when the application starts, and left alone by the request."""

    async def work(connection: Any) -> None:
        await connection.set_type_codec("shade", encoder=str, decoder=str)

    with psycopg.connect(postgres.dsn) as another:
        another.execute("drop type if exists shade; create type shade as enum ('light')")
    run(postgres, work)
    assert tape.exchanges == []
    known: Any = tape.connections[-1].parameters["type_names"]
    assert list(known) == ["public.shade"]


def test_the_reset_of_a_pool_is_no_exchange(postgres: PostgresServer, tape: Tape) -> None:
    async def work() -> None:
        async with asyncpg.create_pool(postgres.dsn, min_size=1, max_size=1) as pool:
            await pool.fetchval("select 1")
            await pool.fetchval("select 1")

    asyncio.run(work())
    assert [str(each.request["statement"]) for each in tape.exchanges] == ["select 1", "select 1"]


def test_r07_copy_stands_row_by_row(postgres: PostgresServer, tape: Tape) -> None:
    async def work(connection: Any) -> None:
        await connection.execute("create temp table piled (id int, name text)")
        await connection.copy_to_table("piled", source=io.BytesIO(b"1\ta\n2\tb\n"))
        await connection.copy_from_query("select * from piled order by id", output=_nowhere)

    run(postgres, work)
    taken, given = tape.asked()[-2:]
    assert (taken.request["op"], given.request["op"]) == ("copy_in", "copy_out")
    assert taken.request["copy"] == {"format": 0, "formats": [0, 0], "data": ["1\ta\n", "2\tb\n"]}
    assert given.result["copy"] == {"format": 0, "formats": [0, 0], "data": ["1\ta\n", "2\tb\n"]}


async def _nowhere(data: bytes) -> None:
    pass


def test_a_notification_that_comes_by_itself_is_an_exchange(postgres: PostgresServer, tape: Tape) -> None:
    async def work(connection: Any) -> None:
        came = asyncio.Event()
        await connection.add_listener("shop", lambda *_: came.set())
        async with scenarios.connected(postgres.dsn) as other:
            await other.execute("notify shop, 'open'")
        await asyncio.wait_for(came.wait(), 60)
        await connection.reset()

    run(postgres, work)
    (exchange,) = [each for each in tape.asked() if each.request["op"] == "notify"]
    (told,) = cast("list[Any]", exchange.result["notifications"])
    assert (told["channel"], told["payload"]) == ("shop", "open")


def test_an_answer_that_comes_after_a_timeout_belongs_to_its_statement(postgres: PostgresServer, tape: Tape) -> None:
    asyncio.run(scenarios.timeouts(postgres.dsn))
    said: Any = {str(each.request["statement"]): each.result for each in tape.exchanges}
    assert said["select pg_sleep(5)"]["error"]["C"] == "57014"
    assert said["select pg_sleep(6)"]["error"]["C"] == "57014"
    assert "error" not in said["select 2"]


def test_an_answer_larger_than_may_be_held_is_let_go(
    postgres: PostgresServer, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timetracer_otel.drivers.asyncpg.hooks.HELD_MAX", 100_000)
    run(postgres, lambda connection: connection.fetch("select repeat('x', 200000)"))
    (captured,) = tape.captured
    assert captured.dropped == "limit"
    assert isinstance(captured.request, tracking.Sent)
    assert captured.request.operation.heard == []


def test_a_connection_that_breaks_leaves_an_exchange_that_says_so(postgres: PostgresServer, tape: Tape) -> None:
    async def work(connection: Any) -> None:
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetch("select pg_terminate_backend(pg_backend_pid())")

    run(postgres, work)
    (exchange,) = tape.exchanges
    assert "error" in exchange.result or "lost" in exchange.result


def test_an_asyncpg_without_a_name_that_the_tap_needs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncpg import protocol

    class Other:
        pass

    monkeypatch.setattr(protocol, "Protocol", Other)
    with pytest.raises(MissingNames) as raised:
        RECORDING.install()
    assert "bind_execute" in str(raised.value)
    assert protocol.Protocol is Other
