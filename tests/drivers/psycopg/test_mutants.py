"""Replay never lies: a request that differs from every recorded one in one business value finds no answer."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from psycopg.types.json import Jsonb

from tests.drivers.psycopg.replaying import Replayed, replaying
from tests.drivers.psycopg.taping import taps
from tests.servers.postgres import PostgresServer

UTC = dt.timezone.utc
STATEMENT = (
    "select %s::int8, %s::text, %s::numeric, %s::timestamptz, %s::uuid, %s::jsonb, %s::bytea, %s::int[], %s::bool"
)
VALUES = (
    42,
    "text",
    Decimal("1.50"),
    dt.datetime(2024, 1, 1, tzinfo=UTC),
    uuid.UUID(int=1),
    Jsonb({"a": {"b": [1, 2]}}),
    b"\0\1",
    [1, 2],
    True,
)
MUTANTS = (
    43,
    "texT",
    Decimal("1.51"),
    dt.datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    uuid.UUID(int=2),
    Jsonb({"a": {"b": [1, 3]}}),
    b"\0\2",
    [2, 1],
    False,
)


def run(dsn: str, statement: str, values: tuple[Any, ...], *, binary: bool = False, end: str = "commit") -> Any:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(statement, values, binary=binary).fetchone()
        getattr(connection, end)()
        return row


def replay(replayed: Replayed, *arguments: Any, **options: Any) -> Any:
    provider = TracerProvider()
    with provider.get_tracer("tests").start_as_current_span("replay"):
        trace_id = trace.get_current_span().get_span_context().trace_id
        replayed.bindings.bind(trace_id, replayed.sessions["trace"])
        return run("host=db.prod.example dbname=postgres", *arguments, **options)


@pytest.mark.parametrize("place", range(len(VALUES)))
def test_one_other_value_is_one_miss_that_names_it(postgres: PostgresServer, place: int) -> None:
    with taps() as tape:
        run(postgres.dsn, STATEMENT, VALUES)
    mutated = (*VALUES[:place], MUTANTS[place], *VALUES[place + 1 :])
    with replaying({"trace": tape.exchanges}) as replayed:
        with pytest.raises(psycopg.errors.InternalError_, match="no recorded answer"):
            replay(replayed, STATEMENT, mutated)
        first = replayed.journal.of("miss")[0]
        assert [difference["path"] for difference in first["differences"]] == [f"parameters[{place}]"]


@pytest.mark.parametrize("binary", [False, True])
def test_the_control_the_same_values_find_their_answer(postgres: PostgresServer, binary: bool) -> None:
    with taps() as tape:
        recorded = run(postgres.dsn, STATEMENT, VALUES)
    with replaying({"trace": tape.exchanges}) as replayed:
        assert replay(replayed, STATEMENT, VALUES, binary=binary) == recorded
        assert replayed.misses == []
        assert replayed.sessions["trace"].is_used_up


def test_another_word_in_the_statement_is_a_miss(postgres: PostgresServer) -> None:
    with taps() as tape:
        run(postgres.dsn, "select 1 where %s > 0", (1,))
    with replaying({"trace": tape.exchanges}) as replayed:
        with pytest.raises(psycopg.errors.InternalError_):
            replay(replayed, "select 1 where %s >= 0", (1,))
        assert replayed.misses[0] == "select 1 where $1 >= 0"


def test_another_end_of_the_transaction_is_a_miss(postgres: PostgresServer) -> None:
    with taps() as tape:
        run(postgres.dsn, "select %s", (1,))
    with replaying({"trace": tape.exchanges}) as replayed:
        with pytest.raises(psycopg.errors.InternalError_):
            replay(replayed, "select %s", (1,), end="rollback")
        assert replayed.misses[0] == "ROLLBACK"
