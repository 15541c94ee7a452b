"""Recorded against a real server, replayed in a process of its own under an address that leads nowhere."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest
from psycopg import pq

from tests.conftest import start_postgres
from tests.drivers.psycopg.harness import Run, record, replay
from tests.servers.postgres import PostgresServer

PRODUCTION = "postgresql://app:secret@db.prod.example:5432/postgres"
Recorded: TypeAlias = Callable[..., tuple[Run, Path]]


@pytest.fixture(scope="module")
def shop(postgres: PostgresServer) -> PostgresServer:
    """A server with orders in it and a sequence that counts."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("drop table if exists orders")
        connection.execute("drop sequence if exists states")
        connection.execute("create sequence states")
        connection.execute(
            "create table orders as select i as id, i * 1.25 as total, i % 2 = 0 as paid, "
            "timestamptz '2024-05-01 10:00+02' + i * interval '1 day' as at, "
            "case when i % 3 > 0 then 'note ' || i end as note from generate_series(1, 9) i"
        )
    return postgres


@pytest.fixture(scope="module")
def recorded(shop: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """What a scenario saw and where it is recorded: once, however often it is replayed."""
    folder = tmp_path_factory.mktemp("recorded")

    @cache
    def once(scenario: str, **environment: str) -> tuple[Run, Path]:
        store = folder / "-".join((scenario, *environment.values()))
        return record(scenario, shop.dsn, store, **environment), store

    return once


def test_a_program_sees_the_same_after_the_server_has_stopped(
    stoppable_postgres: PostgresServer, tmp_path: Path
) -> None:
    recorded = record("values", stoppable_postgres.dsn, tmp_path)
    stoppable_postgres.stop()
    replayed = replay("values", stoppable_postgres.dsn, tmp_path)
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())


@pytest.mark.usefixtures("libpq")
def test_what_one_implementation_recorded_the_other_replays(shop: PostgresServer, tmp_path: Path) -> None:
    recorded = record("values", shop.dsn, tmp_path, PSYCOPG_IMPL="binary")
    replayed = replay("values", PRODUCTION, tmp_path, PSYCOPG_IMPL="python")
    assert (replayed.given, replayed.said, replayed.unused) == (recorded.given, (), ())


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://app@db.prod.example/postgres?sslmode=verify-full&sslrootcert=/nowhere/root.crt&sslcert=/no&sslkey=/no",
        "postgresql://app@one.example:5432,two.example:5433/postgres?target_session_attrs=read-write",
        "host=/var/run/nowhere user=app dbname=postgres",
        "service=nowhere",
        "host=db.prod.example user=app dbname=postgres channel_binding=require require_auth=scram-sha-256",
        "host=db.prod.example hostaddr=192.0.2.1 gssencmode=prefer passfile=/nowhere/pgpass user=app dbname=postgres",
        "host=db.prod.example sslmode=require sslnegotiation=direct load_balance_hosts=random user=app",
    ],
)
def test_any_address_of_production_leads_to_the_stub(recorded: Recorded, dsn: str) -> None:
    if "sslnegotiation" in dsn and pq.version() < 170000:
        pytest.skip("this libpq does not know sslnegotiation")
    values, store = recorded("values")
    replayed = replay("values", dsn, store)
    assert (replayed.given, replayed.said, replayed.unused) == (values.given, (), ())


def test_the_environment_of_libpq_leads_to_the_stub_too(recorded: Recorded) -> None:
    values, store = recorded("values")
    environment = {
        "PGHOST": "one.example,two.example",
        "PGPORT": "1,2",
        "PGSERVICE": "nowhere",
        "PGSSLMODE": "verify-full",
        "PGCHANNELBINDING": "require",
        "PGTARGETSESSIONATTRS": "primary",
        "PGREQUIREAUTH": "scram-sha-256",
        "PGSSLNEGOTIATION": "direct",
        "PGSSLCERTMODE": "require",
        "PGGSSENCMODE": "require",
        "PGMINPROTOCOLVERSION": "latest",
        "PGMAXPROTOCOLVERSION": "latest",
    }
    replayed = replay("values", "", store, **environment)
    assert (replayed.given, replayed.said, replayed.unused) == (values.given, (), ())


def test_r32_equal_calls_are_answered_in_order_and_one_too_many_is_explained(
    shop: PostgresServer, tmp_path: Path
) -> None:
    recorded = record("polling", shop.dsn, tmp_path)
    assert ast.literal_eval(recorded.given) == [(1,), (2,), (3,)]
    replayed = replay("polling_more", PRODUCTION, tmp_path)
    *first, (kind, text, _) = ast.literal_eval(replayed.given)
    assert first == [(1,), (2,), (3,)]
    assert kind == "InternalError_"
    assert "recorded 3 time" in text
    assert replayed.misses == ["select nextval('states')"]


@pytest.mark.parametrize("seed", range(3))
def test_r34_parallel_calls_in_any_order_get_their_own_answers(recorded: Recorded, seed: int) -> None:
    gathered, store = recorded("gathered")
    replayed = replay("gathered", PRODUCTION, store, SEED=str(seed))
    assert (replayed.given, replayed.said, replayed.unused) == (gathered.given, (), ())


@pytest.mark.parametrize(("when_recorded", "in_replay"), [("1", ""), ("", "1"), ("1", "1")])
def test_r36_comments_of_opentelemetry_take_no_part(recorded: Recorded, when_recorded: str, in_replay: str) -> None:
    hinted, store = recorded("hinted", COMMENTER=when_recorded)
    replayed = replay("hinted", PRODUCTION, store, COMMENTER=in_replay)
    assert hinted.given == "[[(1,)]]"
    assert (replayed.given, replayed.said, replayed.unused) == (hinted.given, (), ())


def test_r36_hints_of_the_app_itself_count(recorded: Recorded) -> None:
    _, store = recorded("hinted", COMMENTER="1")
    replayed = replay("hinted", PRODUCTION, store, COMMENTER="1", HINT="/*+ SeqScan(orders) */")
    (missed,) = replayed.misses
    assert missed.startswith("/*+ SeqScan(orders) */")


def test_a_rollback_where_a_commit_was_recorded_is_a_miss(shop: PostgresServer, tmp_path: Path) -> None:
    record("commits", shop.dsn, tmp_path)
    replayed = replay("commits", PRODUCTION, tmp_path)
    assert replayed.misses[0] == "ROLLBACK"
    assert "COMMIT" in replayed.unused


def test_a_miss_inside_a_transaction_leaves_a_connection_that_works(shop: PostgresServer, tmp_path: Path) -> None:
    record("missing_in_transaction", shop.dsn, tmp_path)
    replayed = replay("missing_in_transaction", PRODUCTION, tmp_path)
    assert ast.literal_eval(replayed.given) == [("InternalError_", "XX000"), (2,)]
    (miss,) = [event for event in replayed.said if event["event"] == "miss"]
    assert miss["differences"] == [{"path": "parameters[0]", "recorded": "1", "asked": "2"}]
    assert miss["frame"].endswith(" missing_in_transaction")


def test_a_server_can_be_started_and_stopped_twice() -> None:
    server = start_postgres()
    with psycopg.connect(server.dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    server.stop()
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.dsn)
