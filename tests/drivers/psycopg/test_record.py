from __future__ import annotations

import asyncio
import gc
from typing import Any

import psycopg
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from tests.drivers.psycopg.taping import error_of, rows, taps
from tests.drivers.taping import ListTape
from tests.servers.postgres import PostgresServer
from timetracer_otel.capture import table
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.capture.segments import Batch
from timetracer_otel.config import Settings
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.drivers.psycopg.codec import CODEC
from timetracer_otel.drivers.psycopg.names import base, module_of
from timetracer_otel.drivers.psycopg.record import RECORDING
from timetracer_otel.drivers.psycopg.tracking import connections


def test_a_statement_is_recorded_with_its_values_and_rows(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("select %s::int as a, %s::text as b, null as c", (7, "x"))
    (exchange,) = tape.exchanges
    assert exchange.signature.method == "SELECT"
    assert exchange.signature.url == "postgres"
    assert exchange.target == f"postgresql://postgres@127.0.0.1:{postgres.port}/postgres"
    assert exchange.request == {
        "op": "query",
        "statement": "select $1::int as a, $2::text as b, null as c",
        "parameters": [b"\0\7", "x"],
        "parameter_types": [21, 0],
        "parameter_formats": [1, 0],
        "result_format": 0,
    }
    assert rows(exchange) == [("7", "x", None)]
    assert exchange.result["tx"] == "I"


def test_what_the_server_said_at_connecting_is_recorded_once_per_connection(
    postgres: PostgresServer, tape: ListTape
) -> None:
    for _ in range(2):
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute("select 1")
            connection.execute("select 2")
    first, second = tape.connections
    assert second.number == first.number + 1
    assert first.parameters["database"] == "postgres"
    assert first.parameters["user"] == "postgres"
    parameters = first.parameters["parameters"]
    assert isinstance(parameters, dict)
    assert parameters["client_encoding"] == "UTF8"
    assert [each.connection for each in tape.captured] == [first.number, first.number, second.number, second.number]


def test_each_transaction_has_a_number_of_its_own_and_statements_outside_have_none(
    postgres: PostgresServer, tape: ListTape
) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("select 1")
        connection.commit()
        connection.execute("select 2")
        connection.rollback()
        connection.autocommit = True
        connection.execute("select 3")
        connection.execute("start transaction")
        connection.execute("select 4")
        connection.execute("commit")
        connection.execute("/* said first */ begin")
        connection.execute("select 5")
        connection.execute("rollback")
    numbers: dict[int | None, list[str]] = {}
    for statement, captured in zip(tape.statements, tape.captured, strict=True):
        numbers.setdefault(captured.transaction, []).append(statement)
    groups = [statements for number, statements in numbers.items() if number is not None]
    assert groups == [
        ["BEGIN", "select 1", "COMMIT"],
        ["BEGIN", "select 2", "ROLLBACK"],
        ["start transaction", "select 4", "commit"],
        ["select 5", "rollback"],
    ]
    assert numbers[None] == ["select 3", "/* said first */ begin"]


def test_an_error_is_recorded_with_every_field(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("create temp table unique_names (name text unique)")
        connection.execute("insert into unique_names values ('n1')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into unique_names values (%s)", ("n1",))
        connection.rollback()
    failed = tape.exchanges[3]
    error = failed.result["error"]
    assert isinstance(error, dict)
    assert error["C"] == "23505"
    assert error["D"] == "Key (name)=(n1) already exists."
    assert {"S", "V", "M", "s", "t", "n", "F", "L", "R"} <= set(error)
    assert failed.result["tx"] == "E"
    assert failed.complete


def test_a_statement_that_cannot_be_prepared_is_one_exchange_with_its_error(
    postgres: PostgresServer, tape: ListTape
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.SyntaxError):
            connection.execute("selec %s", (1,), prepare=True)
        connection.execute("select %s::int", (2,), prepare=True)
        connection.execute("select %s::int", (3,), prepare=True, binary=True)
    failed, second, third = tape.exchanges
    assert error_of(failed)["C"] == "42601"
    assert "prepared" not in failed.request
    assert rows(second) == [("2",)]
    assert rows(third) == [(b"\0\0\0\3",)]
    assert third.request["prepared"] is True
    assert third.request["result_format"] == 1


def test_notices_belong_to_the_statement_that_caused_them(postgres: PostgresServer, tape: ListTape) -> None:
    seen: list[str | None] = []
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.add_notice_handler(lambda diagnostic: seen.append(diagnostic.message_primary))
        connection.execute("select 1")
        connection.execute("do $$ begin raise notice 'n1'; raise warning 'n2'; end $$")
        connection.execute("select 2")
    assert seen == ["n1", "n2"]
    notices: Any = [exchange.result.get("notices", []) for exchange in tape.exchanges]
    assert [[notice["M"] for notice in each] for each in notices] == [[], ["n1", "n2"], []]


def test_a_value_that_the_app_changes_afterwards_is_recorded_as_it_was_sent(
    postgres: PostgresServer, tape: ListTape
) -> None:
    data = bytearray(b"before")
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("select %b::bytea", (data,))
        data[:] = b"after!"
    assert tape.exchanges[0].request["parameters"] == [b"before"]


def test_a_connection_that_breaks_while_it_waits_is_the_end_of_the_exchange(
    postgres: PostgresServer, tape: ListTape
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as killer:
        connection = psycopg.connect(postgres.dsn, autocommit=True)
        pid = connection.info.backend_pid
        killer.execute("select pg_terminate_backend(%s)", (pid,))
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 2")
        connection.close()
    last = tape.exchanges[-1]
    assert last.request["statement"] == "select 1"
    assert last.complete
    assert last.result.get("lost") or error_of(last)["C"] == "57P01"
    assert not tape.open_ones


def test_a_cancelled_statement_is_recorded_with_its_error(postgres: PostgresServer, tape: ListTape) -> None:
    async def slow() -> None:
        connection = await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True)
        async with connection:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.execute("select pg_sleep(30)"), 0.2)
            await connection.execute("select 1")

    asyncio.run(slow())
    cancelled, after = tape.exchanges
    assert error_of(cancelled)["C"] == "57014"
    assert rows(after) == [("1",)]


def test_r08_every_way_to_a_connection_is_recorded_after_the_answer(postgres: PostgresServer, tape: ListTape) -> None:
    RECORDING.uninstall()
    opened_before = psycopg.connect(postgres.dsn, autocommit=True)
    RECORDING.install()

    class OwnConnection(psycopg.Connection[Any]):
        pass

    async def asynchronous() -> None:
        connection = await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True)
        async with connection:
            await connection.execute("select pg_sleep(0.05), 7")
        async with AsyncConnectionPool(postgres.dsn, min_size=1, open=False) as pool, pool.connection() as pooled:
            await pooled.execute("select pg_sleep(0.05), 7")

    with OwnConnection.connect(postgres.dsn, autocommit=True) as own:
        own.execute("select pg_sleep(0.05), 7")
    with ConnectionPool(postgres.dsn, min_size=1, open=True) as pool, pool.connection() as pooled:
        pooled.execute("select pg_sleep(0.05), 7")
    opened_before.execute("select pg_sleep(0.05), 7")
    opened_before.close()
    asyncio.run(asynchronous())
    slept = [each for each in tape.exchanges if "pg_sleep" in str(each.request["statement"])]
    assert [rows(each) for each in slept] == [[("", "7")]] * 5


def test_r08_nothing_is_recorded_under_suppression(postgres: PostgresServer) -> None:
    class Sink:
        def prepare(self) -> None:
            """There is nothing to make."""

        def put(self, batch: Batch) -> None: ...

        def spill(self, captured: object, released: object) -> None:
            return None

        def flush(self, timeout_s: float) -> bool:
            return True

    async def asynchronous() -> None:
        connection = await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True)
        async with connection:
            with suppress_instrumentation():
                await connection.execute("select 'async'")

    with taps():
        recorder = Recorder(Settings(), Sink())
        table.activate(recorder)
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute("select 'seen'")
            with suppress_instrumentation():
                connection.execute("select 'sync'")
        asyncio.run(asynchronous())
        recorded = recorder._environment.exchanges or []
    assert [CODEC.encode(captured).request["statement"] for captured in recorded] == ["select 'seen'"]


def test_a_large_request_does_not_stay_in_memory_where_its_answer_is_not_kept(postgres: PostgresServer) -> None:
    """R26: a request may store a thousand files, and the limit is that of all payloads together."""

    class Sink:
        def prepare(self) -> None:
            """There is nothing to make."""

        def put(self, batch: Batch) -> None: ...

        def spill(self, captured: object, released: object) -> None:
            return None

        def flush(self, timeout_s: float) -> bool:
            return True

    with taps():
        recorder = Recorder(Settings(payload_max_bytes=1000), Sink())
        table.activate(recorder)
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute("select length(%s::text)", ("x" * 100_000,))
            connection.execute(f"select length('{'x' * 100_000}')")
            connection.execute("select repeat('x', 5000), %s::text", ("small",))
        requests = [CODEC.encode(captured).request for captured in recorder._environment.exchanges or []]
    assert [each["statement"] for each in requests] == [
        "select length($1::text)",
        "",
        "select repeat('x', 5000), $1::text",
    ]
    assert [each.get("parameters") for each in requests] == [None, None, ["small"]]


def test_what_comes_piece_by_piece_is_recorded_whole(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create temp table items (id int, name text)")
        cursor = connection.cursor()
        with cursor.copy("copy items from stdin") as copy:
            copy.write_row((1, "one"))
            copy.write_row((2, "two"))
        with cursor.copy("copy items to stdout") as copy:
            assert len(list(copy)) == 2
        assert list(cursor.stream("select id from items order by id")) == [(1,), (2,)]
        assert list(cursor.stream("select generate_series(1, 5)")) == [(1,), (2,), (3,), (4,), (5,)]
        with connection.transaction(), connection.cursor("mine") as server:
            server.itersize = 1
            server.execute("select * from items order by id")
            assert server.fetchone() == (1, "one")
            server.scroll(0, mode="absolute")
            assert server.fetchall() == [(1, "one"), (2, "two")]
        heard: list[str] = []
        connection.add_notify_handler(lambda note: heard.append(note.payload))
        connection.execute("listen news")
        connection.execute("notify news, 'hello'")
        assert heard == ["hello"]
        with psycopg.connect(postgres.dsn, autocommit=True) as other:
            other.execute("listen news")
            connection.execute("notify news, 'to others'")
            notes = other.notifies()
            assert next(notes).payload == "to others"
            notes.close()
    assert not [each for each in tape.exchanges if each.dropped or not each.complete]
    assert not tape.open_ones


def test_what_the_driver_does_for_its_cache_of_statements_is_not_recorded(
    postgres: PostgresServer, tape: ListTape
) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("select 1", prepare=True)
        connection.rollback()
    assert tape.statements == ["BEGIN", "select 1", "ROLLBACK"]


def test_a_request_that_never_left_is_no_exchange(postgres: PostgresServer, tape: ListTape) -> None:
    connection = psycopg.connect(postgres.dsn)
    cursor = connection.cursor()
    connection.close()
    with pytest.raises(psycopg.OperationalError):
        cursor.execute("select 1")
    with psycopg.connect(postgres.dsn) as other, pytest.raises(psycopg.NotSupportedError):
        psycopg.ClientCursor(other).execute("select 1", binary=True)
    assert tape.statements == ["BEGIN", "COMMIT"]  # of `with other`


def test_nothing_is_kept_of_a_connection_that_is_gone(postgres: PostgresServer, tape: ListTape) -> None:
    for _ in range(3):
        connection = psycopg.connect(postgres.dsn)
        connection.execute("select 1")
        with connection.pipeline():
            connection.execute("select 2")
        connection.close()
    del connection
    gc.collect()
    assert len(connections) == 0


def test_taps_go_in_once_and_come_out_whole() -> None:
    from psycopg import generators

    cursor = base(psycopg.Cursor, "BaseCursor")
    module = module_of(cursor)
    before = (module.execute, generators.execute, dict(vars(cursor)))
    RECORDING.install()
    RECORDING.install()
    assert module.execute is not before[0]
    RECORDING.uninstall()
    assert (module.execute, generators.execute, dict(vars(cursor))) == before


def test_a_psycopg_without_a_name_that_a_tap_needs_gets_no_tap_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = base(psycopg.Cursor, "BaseCursor")
    monkeypatch.delattr(cursor, "_send_prepare")
    before = dict(vars(module_of(cursor)))
    with pytest.raises(MissingNames) as raised:
        RECORDING.install()
    assert str(raised.value) == (
        f"psycopg {psycopg.__version__} has no BaseCursor._send_prepare: statements are not recorded; "
        "report it to timetracer-otel"
    )
    assert dict(vars(module_of(cursor))) == before


def test_a_connection_that_was_made_before_the_taps_is_recorded_from_its_next_statement_on(
    postgres: PostgresServer,
) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("select 1")
        with taps() as tape:
            connection.execute("select 2")
    assert tape.statements[0] == "select 2"
    assert tape.connections[0].parameters["database"] == "postgres"


def test_an_empty_statement_is_no_exchange(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        assert connection.execute("").statusmessage is None
        connection.execute(";")
        connection.execute("select 1")
    assert tape.statements == ["select 1"]
