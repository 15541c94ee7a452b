"""Synthesised answers against what a real server says to the same commands."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers.postgres import PostgresServer
from tests.wire.postgres.client import query, startup, transcript
from tests.wire.postgres.serving import Canned
from timetracer_otel.wire.postgres.answers import Miss, Reply, Startup, Statement, Synthesise
from timetracer_otel.wire.postgres.backend import Backend
from timetracer_otel.wire.postgres.synthesis import is_housekeeping, synthesise
from timetracer_otel.wire.postgres.transaction import Transaction

COMMANDS = [
    *[
        "BEGIN",
        "begin work",
        "START TRANSACTION",
        "COMMIT",
        "END",
        "commit and chain",
        "ROLLBACK",
    ],
    *[
        "ABORT",
        "rollback and chain",
        "rollback and no chain",
        "SAVEPOINT a",
        'savepoint "B"',
        "RELEASE a",
        "release savepoint b",
    ],
    *[
        "ROLLBACK TO a",
        'rollback work to savepoint "B"',
        "SET TimeZone = 'Asia/Tokyo'",
        "SET LOCAL TIME ZONE 'Europe/Berlin'",
    ],
    *[
        "RESET TimeZone",
        "set session DateStyle to german",
        "SET DateStyle = 'SQL, DMY'",
        "reset all",
        "SET intervalstyle = ISO_8601",
    ],
    *[
        "LISTEN c",
        "UNLISTEN *",
        "DEALLOCATE ALL",
        "deallocate prepare all",
        "CLOSE ALL",
        "DISCARD PLANS",
        "discard temporary",
    ],
    *[
        "SET CONSTRAINTS ALL DEFERRED",
        "SET client_encoding TO 'latin1'",
        "SET NAMES 'UTF8'",
        "",
        "-- nothing",
        "select 1/0",
    ],
    *[
        "set default_transaction_read_only = true",
        "SET application_name = 'it''s'",
        "SET TIME ZONE DEFAULT",
        "SET search_path TO x, y",
    ],
]


class Failing(Canned):
    """Misses what is not housekeeping, so that the transaction fails as it does on the server."""

    def answer(self, statement: Statement, transaction: Transaction) -> Reply:
        return Synthesise() if is_housekeeping(statement.sql) else Miss("division by zero")


def server_says(connection: psycopg.Connection, commands: list[str]) -> Iterator[tuple[str, ...]]:
    notices: list[str] = []
    connection.add_notice_handler(lambda diagnostic: notices.append(f"N {diagnostic.sqlstate}"))
    for command in commands:
        notices.clear()
        result = connection.pgconn.exec_(command.encode())
        status = {0: "I", 2: "T", 3: "E"}[connection.pgconn.transaction_status]
        reported = (connection.pgconn.parameter_status(name.encode()) or b"" for name in REPORTED)
        sqlstate = (result.error_field(67) or b"").decode()
        yield (
            (result.command_status or b"").decode(),
            sqlstate,
            status,
            *notices,
            *(value.decode() for value in reported),
        )


REPORTED = [
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "client_encoding",
    "application_name",
    "default_transaction_read_only",
]


def stub_says(initial: dict[str, str], commands: list[str]) -> Iterator[tuple[str, ...]]:
    backend = Backend(1, Failing(parameters=initial))
    reported = dict(initial)
    backend.receive(startup(user="app", application_name=initial["application_name"]))
    for command in commands:
        lines = transcript(backend.receive(query(command)))
        reported |= dict(line[2:].split("=", 1) for line in lines if line.startswith("S "))
        tag = next((line[2:] for line in lines if line.startswith("C ")), "")
        error = next((line[2:7] for line in lines if line.startswith("E ")), "")
        notices = [line[:7] for line in lines if line.startswith("N ")]
        yield (
            tag,
            "22012" if error == "XX000" else error,
            lines[-1][2:],
            *notices,
            *(reported[name] for name in REPORTED),
        )


@pytest.mark.postgres
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=9))
def test_housekeeping_is_answered_as_the_server_does(postgres: PostgresServer, commands: list[str]) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True, application_name="x") as connection:
        initial = {name: connection.info.parameter_status(name) or "" for name in REPORTED}
        expected = list(server_says(connection, commands))
        connection.pgconn.exec_(b"ROLLBACK")
    for command, theirs, ours in zip(commands, expected, stub_says(initial, commands), strict=True):
        # A miss has its own text in a failed transaction too.
        is_miss = command == "select 1/0" and theirs[1] == "25P02"
        assert (ours[0], "25P02" if is_miss else ours[1], *ours[2:]) == theirs, command


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("BEGIN; SET x = 1; COMMIT", True),
        ("", True),
        ("CLOSE c", True),
        ("COMMIT PREPARED 'x'", False),
        ("PREPARE s AS select 1", False),
        ("select 1", False),
        ("BEGIN; select 1", False),
        ("COPY t FROM STDIN", False),
    ],
)
def test_only_what_follows_from_the_protocol_is_housekeeping(sql: str, expected: bool) -> None:
    assert is_housekeeping(sql) is expected


def test_statements_of_one_query_move_the_transaction_one_after_the_other() -> None:
    made = synthesise("BEGIN; SAVEPOINT a; RELEASE b; COMMIT", Transaction())
    assert made.tags == ("BEGIN", "SAVEPOINT")
    assert made.error is not None
    assert made.error["C"] == "3B001"


def test_transactions_are_numbered() -> None:
    answers = Canned()
    backend = Backend(1, answers)
    backend.receive(
        startup(user="app") + b"".join(map(query, ["BEGIN", "COMMIT", "BEGIN", "COMMIT AND CHAIN", "ROLLBACK"]))
    )
    assert [(transaction.number, transaction.status) for _, transaction in answers.asked] == [
        *[(0, "I"), (1, "T"), (1, "I"), (2, "T"), (3, "T")],
    ]
    assert answers.startup() == Startup({})
