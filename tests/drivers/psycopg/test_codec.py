from __future__ import annotations

import subprocess
import sys
from typing import Any

import psycopg
import pytest

from tests.drivers.taping import ListTape
from tests.servers.postgres import PostgresServer
from timetracer_otel.capture.table import Captured
from timetracer_otel.drivers.psycopg import codec
from timetracer_otel.drivers.psycopg.codec import CODEC
from timetracer_otel.drivers.psycopg.tracking import Sent, Tracked

MIXED = "select i, 'é' || i as text, null as none, '\\x00ff'::bytea as data, now() from generate_series(1, 50) i"


def results(tape: ListTape) -> list[Any]:
    payloads: list[Any] = [exchange.result for exchange in tape.exchanges]
    return [payload["results"][0] for payload in payloads]


@pytest.mark.parametrize("binary", [False, True])
def test_reading_all_rows_at_once_gives_what_reading_cell_by_cell_gives(
    postgres: PostgresServer, tape: ListTape, monkeypatch: pytest.MonkeyPatch, binary: bool
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(MIXED, binary=binary)
    (at_once,) = results(tape)
    monkeypatch.setattr(codec, "_c_reader", lambda: None)
    (by_cell,) = results(tape)
    assert at_once == by_cell
    kind = bytes if binary else str
    assert [{type(cell) for cell in column} for column in at_once["values"]] == [
        {kind},
        {kind},
        {type(None)},
        {kind},
        {kind},
    ]


def test_text_in_another_encoding_stays_bytes(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("set client_encoding to latin1")
        connection.execute("select %s::text, 'plain'", ("é",))
    exchange = tape.exchanges[1]
    assert exchange.request["parameters"] == [b"\xe9"]
    assert results(tape)[1]["values"] == [[b"\xe9"], ["plain"]]


def test_results_without_columns_without_rows_and_without_anything_are_told_apart(
    postgres: PostgresServer, tape: ListTape
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("select from generate_series(1, 3)")
        connection.execute("select 1 as a where false")
        connection.execute("set time zone 'UTC'")
        connection.execute(";;")
    no_columns, no_rows, command, empty = results(tape)
    assert no_columns == {"columns": [], "formats": [], "rows": 3, "values": [], "tag": "SELECT 3"}
    assert (no_rows["rows"], no_rows["values"], no_rows["tag"]) == (0, [[]], "SELECT 0")
    assert command == {"tag": "SET"}
    assert empty == {"tag": ""}


def test_several_statements_in_one_request_are_several_results(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection, pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("select 1; select 2, 3; select 1/0")
    result: Any = tape.exchanges[0].result
    assert [each["values"] for each in result["results"]] == [[["1"]], [["2"], ["3"]]]
    assert result["error"]["C"] == "22012"


def test_an_exchange_without_its_answer_still_says_what_was_asked() -> None:
    sent = Sent(Tracked(1, "postgresql://app@db:5432/shop", "shop"), b"select '\xff'", (b"\xff", None), (25, 0), (0, 0))
    encoded = CODEC.encode(Captured("psycopg", sent))
    assert encoded.request["statement"] == "select '\udcff'"
    assert encoded.request["parameters"] == [b"\xff", None]
    assert (encoded.method, encoded.url, encoded.result) == ("SELECT", "shop", {})


def test_the_size_of_an_answer_is_estimated_from_its_first_and_last_row(
    postgres: PostgresServer, tape: ListTape
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("select repeat('x', 1000) from generate_series(1, 100)")
        connection.execute("select repeat('x', 5000)")
    many, one = (captured.size for captured in tape.captured)
    assert 100_000 <= many <= 101_000
    assert 5_000 <= one <= 5_100


def test_the_codec_loads_no_driver_before_it_reads_a_result() -> None:
    code = "import sys, timetracer_otel.drivers.psycopg.codec; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
