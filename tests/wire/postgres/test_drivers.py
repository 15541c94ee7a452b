"""The real psycopg, in C and in Python, in front of a backend."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.wire.postgres.serving import Canned, exchange, served, table

DUPLICATE = {
    "S": "ERROR",
    "V": "ERROR",
    "C": "23505",
    "M": 'duplicate key value violates unique constraint "t_name_key"',
    "D": "Key (name)=(n1) already exists.",
    "s": "public",
    "t": "t",
    "n": "t_name_key",
    "F": "nbtinsert.c",
    "L": "664",
    "R": "_bt_check_unique",
}
ORDERS = [("id", 23), ("name", 25), ("amount", 1700), ("at", 1184)]
ROWS: list[list[Any]] = [
    ["1", "2"],
    ["n1", None],
    ["1.10", "NaN"],
    ["2024-07-01 12:00:00+02", "2024-01-01 12:00:00+01"],
]


def orders(sql: str = "select * from t where id > $1", value: str = "0") -> Canned:
    recorded = exchange(sql, table(ORDERS, ROWS), types=[21], values=[value])
    return Canned([recorded], {"TimeZone": "Europe/Berlin", "server_version": "15.18", "DateStyle": "ISO, MDY"})


@pytest.mark.parametrize("binary", [False, True])
def test_rows_recorded_as_text_are_given_in_either_format(binary: bool) -> None:
    with served(orders()) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute("select * from t where id > %s", (0,), binary=binary).fetchall()
    assert [row[:3] for row in rows] == [(1, "n1", Decimal("1.10")), (2, None, rows[1][2])]
    assert rows[1][2].is_nan()
    assert [row[3].isoformat() for row in rows] == ["2024-07-01T12:00:00+02:00", "2024-01-01T12:00:00+01:00"]


@pytest.mark.parametrize("binary", [False, True])
def test_rows_recorded_in_binary_are_given_in_either_format(binary: bool) -> None:
    at = (7 * 10**14).to_bytes(8, "big")
    values: list[list[Any]] = [[(7).to_bytes(4, "big")], [b"x"], [None], [at]]
    recorded = exchange("select * from t", table(ORDERS, values, fmt=1))
    with served(Canned([recorded], {"TimeZone": "Asia/Kolkata"})) as dsn, psycopg.connect(dsn) as connection:
        cursor = connection.execute("select * from t", binary=binary)
        (row,) = cursor.fetchall()
    assert row[:3] == (7, "x", None)
    assert row[3] == dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(microseconds=7 * 10**14)
    assert row[3].utcoffset() == dt.timedelta(hours=5.5)


def test_what_was_recorded_at_start_up_is_what_the_driver_sees() -> None:
    with served(orders()) as dsn, psycopg.connect(dsn, application_name="replay") as connection:
        assert connection.info.server_version == 150018
        assert connection.info.timezone.key == "Europe/Berlin"  # type: ignore[attr-defined]  # a ZoneInfo
        assert connection.info.parameter_status("application_name") == "replay"
        assert connection.info.backend_pid == 1


def test_an_error_has_all_its_fields() -> None:
    recorded = exchange("insert into t values ($1)", types=[0], values=["n1"], error=DUPLICATE, tx="E")
    with served(Canned([recorded])) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.UniqueViolation) as raised:
            connection.execute("insert into t values (%s)", ("n1",))
        assert raised.value.diag.constraint_name == "t_name_key"
        assert raised.value.diag.message_detail == DUPLICATE["D"]
        assert raised.value.diag.source_line == "664"


def test_notices_reach_the_app() -> None:
    seen: list[str | None] = []
    recorded = exchange(
        "select f()", table([("f", 2278)], [[""]]), notices=[{"S": "NOTICE", "C": "00000", "M": "hello"}]
    )
    with served(Canned([recorded])) as dsn, psycopg.connect(dsn) as connection:
        connection.add_notice_handler(lambda diagnostic: seen.append(diagnostic.message_primary))
        connection.execute("select f()")
    assert seen == ["hello"]


def test_a_miss_in_a_transaction_fails_it_and_leaves_a_usable_connection() -> None:
    answers = orders()
    with served(answers) as dsn, psycopg.connect(dsn) as connection:
        with (
            pytest.raises(psycopg.errors.InternalError_, match="no recorded answer for select 2"),
            connection.transaction(),
        ):
            connection.execute("select 2")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert len(connection.execute("select * from t where id > %s", (0,)).fetchall()) == 2
    asked = dict(answers.asked)
    assert asked["ROLLBACK"].failed_by_miss


def test_nested_transactions_and_pipelines_are_answered_in_order() -> None:
    answers = Canned(
        [
            exchange("select $1", table([("?column?", 23)], [[str(value)]]), types=[21], values=[str(value)])
            for value in range(5)
        ]
    )
    with served(answers) as dsn, psycopg.connect(dsn) as connection:
        with connection.transaction(), connection.pipeline():
            cursors = [connection.execute("select %s", (value,)) for value in (3, 1, 4)]
            assert [cursor.fetchone() for cursor in cursors] == [(3,), (1,), (4,)]
        with connection.transaction():
            roll_back_inner(connection)
            assert connection.execute("select %s", (2,)).fetchone() == (2,)
    assert answers.misses == []
    assert [sql for sql, _ in answers.asked if "SAVEPOINT" in sql or "ROLLBACK" in sql] != []


def roll_back_inner(connection: psycopg.Connection) -> None:
    with connection.transaction("inner"):
        connection.execute("select %s", (0,))
        raise psycopg.Rollback


def test_a_failed_statement_skips_the_rest_of_its_pipeline() -> None:
    answers = Canned([exchange("select $1", table([("?column?", 23)], [["1"]]), types=[21], values=["1"])])
    with served(answers) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        with contextlib.suppress(psycopg.errors.InternalError_), connection.pipeline():
            connection.execute("select %s", (7,))
            connection.execute("select %s", (1,))
        assert answers.used == set()
        assert connection.execute("select %s", (1,)).fetchone() == (1,)


def test_prepared_statements_are_known_by_their_sql() -> None:
    recorded = [exchange("select $1", table([("?column?", 25)], [[name]]), types=[0], values=[name]) for name in "abc"]
    with served(Canned(recorded)) as dsn, psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as connection:
        assert [connection.execute("select %s", (name,)).fetchone() for name in "cba"] == [("c",), ("b",), ("a",)]


def test_several_statements_of_a_simple_query_give_several_results() -> None:
    sql = "select 1; set TimeZone = 'Asia/Tokyo'; select now()"
    recorded = exchange(
        sql, table([("a", 23)], [["1"]]), {"tag": "SET"}, table([("now", 1184)], [["2024-01-01 09:00:00+09"]])
    )
    with served(Canned([recorded])) as dsn, psycopg.connect(dsn, cursor_factory=psycopg.ClientCursor) as connection:
        cursor = connection.execute(sql)
        assert cursor.fetchone() == (1,)
        assert (cursor.nextset(), cursor.nextset()) == (True, True)
        assert cursor.fetchone() == (dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),)
        assert str(connection.info.timezone) == "Asia/Tokyo"


def test_what_cannot_be_converted_is_an_error_that_names_type_and_column() -> None:
    answers = Canned([exchange("select p from t", table([("p", 600)], [["(1,2)"]]))])
    with (
        served(answers) as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
        pytest.raises(psycopg.errors.FeatureNotSupported, match='column 1 "p", type OID 600'),
    ):
        connection.execute("select p from t", binary=True)
    assert answers.refusals == ['column 1 "p", type OID 600: no exact conversion is known']


def test_copy_without_its_data_is_refused_and_the_connection_goes_on() -> None:
    answers = Canned(
        [exchange("COPY t FROM STDIN", {"tag": "COPY 1"}), exchange("select 1", table([("a", 23)], [["1"]]))]
    )
    with served(answers) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.FeatureNotSupported), connection.cursor().copy("COPY t FROM STDIN"):
            pass
        assert connection.execute("select 1").fetchone() == (1,)
    assert answers.refusals == ["the data of COPY was not recorded"]


def test_a_server_that_went_down_ends_the_connection() -> None:
    fatal = {"S": "FATAL", "V": "FATAL", "C": "57P01", "M": "terminating connection due to administrator command"}
    with (
        served(Canned([exchange("select 1", error=fatal)])) as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("select 1")
        assert connection.closed


def test_cancelling_closes_the_connection_that_asks_for_it() -> None:
    with served(Canned()) as dsn, psycopg.connect(dsn) as connection:
        connection.cancel_safe(timeout=5)


def test_the_same_holds_for_the_python_implementation() -> None:
    environment = {**os.environ, "PSYCOPG_IMPL": "python"}
    probe = "import psycopg, sys; sys.exit(psycopg.pq.__impl__ != 'python')"
    if os.environ.get("PSYCOPG_IMPL") == "python":
        return
    if subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, check=False).returncode:
        pytest.skip("psycopg's Python implementation needs a libpq that this machine does not have")
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
