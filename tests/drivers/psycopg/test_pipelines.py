"""executemany, which psycopg runs in a pipeline of its own, and the pipelines of the app: who gets which answer."""

from __future__ import annotations

import os
import select
import socket
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.drivers.psycopg.taping import error_of, rows
from tests.drivers.taping import ListTape
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import RecordingProxy


@pytest.mark.parametrize("returning", [True, False])
@pytest.mark.parametrize("in_pipeline", [True, False])
def test_executemany_is_one_exchange_per_row_with_the_values_of_that_row(
    postgres: PostgresServer, tape: ListTape, monkeypatch: pytest.MonkeyPatch, returning: bool, in_pipeline: bool
) -> None:
    monkeypatch.setattr(psycopg.Pipeline, "is_supported", lambda *args: in_pipeline)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create temp table many (id serial, name text)")
        cursor = connection.cursor()
        values = [(f"n{i}",) for i in range(300)]
        cursor.executemany("insert into many (name) values (%s) returning id", values, returning=returning)
    inserts = tape.exchanges[1:]
    assert [each.request["parameters"] for each in inserts] == [[name] for (name,) in values]
    assert [rows(each) for each in inserts] == [[(str(i + 1),)] for i in range(300)]
    assert not tape.open_ones


def test_what_a_server_skips_after_an_error_in_executemany_is_no_exchange(
    postgres: PostgresServer, tape: ListTape
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create temp table many (name text unique)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.cursor().executemany("insert into many values (%s)", [("a",), ("a",), *[("b",)] * 50])
    assert tape.statements[1:] == ["insert into many values ($1)"] * 2
    assert "error" in tape.exchanges[-1].result
    assert not tape.open_ones


def test_an_error_at_preparing_in_executemany_is_recorded_once(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.cursor().executemany("insert into nowhere values (%s)", [("a",), ("b",)])
        connection.rollback()
    assert tape.statements == ["BEGIN", "insert into nowhere values ($1)", "ROLLBACK"]
    assert error_of(tape.exchanges[1])["C"] == "42P01"


def test_pipelines_pair_each_request_with_its_own_answer(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        with connection.pipeline() as pipeline:
            cursors = [connection.execute("select %s::int", (i,), prepare=i % 3 == 0) for i in range(30)]
            pipeline.sync()
            assert [cursor.fetchone() for cursor in cursors] == [(i,) for i in range(30)]
            connection.execute("select 100").fetchone()
        with pytest.raises(psycopg.errors.DivisionByZero):
            _divide_in_pipeline(connection, 0, 200)
        connection.rollback()
        assert connection.execute("select 300").fetchone() == (300,)
    asked = [each for each in tape.exchanges if each.request["statement"] == "select $1::int"]
    assert [rows(each) for each in asked] == [[(str(i),)] for i in range(30)]
    assert [each.request["parameters"] for each in asked] == [[i.to_bytes(2, "big")] for i in range(30)]
    assert "select 1/200" not in tape.statements
    assert not tape.open_ones


def _divide_in_pipeline(connection: psycopg.Connection[Any], *numbers: int) -> None:
    with connection.pipeline():
        for number in numbers:
            connection.execute(f"select 1/{number}")


def test_a_pipeline_whose_connection_breaks_ends_with_the_first_request_that_has_no_answer(
    postgres: PostgresServer, tape: ListTape
) -> None:
    connection = psycopg.connect(postgres.dsn, autocommit=True)
    with pytest.raises(psycopg.OperationalError):
        _run_until_cut_off(connection)
    connection.close()
    (lost,) = tape.exchanges
    assert lost.request["statement"] == "select pg_sleep(1)"
    assert lost.complete
    assert lost.result["lost"]
    assert not tape.open_ones


def _run_until_cut_off(connection: psycopg.Connection[Any]) -> None:
    with connection.pipeline():
        connection.execute("select pg_sleep(1)")
        connection.execute("select %s", (1,), prepare=True)
        # Closed under libpq's feet, while the server still sleeps.
        with socket.socket(fileno=os.dup(connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)
        connection.execute("select 2").fetchone()


def test_what_is_left_of_a_pipeline_after_the_server_has_ended_the_connection_is_no_exchange(
    postgres: PostgresServer, tape: ListTape
) -> None:
    """The driver reads the server's last words alone, and only then that the connection is broken."""
    proxy = RecordingProxy(int(conninfo_to_dict(postgres.dsn)["port"] or 0), ends_after_s=1)
    connection = psycopg.connect(postgres.dsn, host="127.0.0.1", port=proxy.port, autocommit=True)
    with pytest.raises(psycopg.errors.AdminShutdown):
        _run_until_ended(connection, proxy)
    connection.close()
    proxy.stop()
    assert tape.statements == ["select 1", "select pg_terminate_backend(pg_backend_pid())"]
    assert error_of(tape.exchanges[1])["C"] == "57P01"
    assert not tape.open_ones


def _run_until_ended(connection: psycopg.Connection[Any], proxy: RecordingProxy) -> None:
    with connection.pipeline():
        connection.execute("select 1").fetchone()
        connection.execute("select pg_terminate_backend(pg_backend_pid())")
        select.select([connection], [], [], 10)
        try:
            connection.execute("select 2")
        finally:
            proxy.cut()
            select.select([connection], [], [], 10)
