"""Failures replay as the same exception of the driver at the same call."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from tests.drivers.psycopg.failure_scenarios import connects
from tests.drivers.psycopg.harness import record, replay
from tests.drivers.psycopg.here import PRODUCTION, record_here, replay_here
from tests.servers.postgres import PostgresServer


def test_a_failed_connect_is_an_exchange_and_fails_again_at_the_same_call(postgres: PostgresServer) -> None:
    program = ["postgres", "nothing", "postgres", "nothing", "nothing", "postgres"]
    given, exchanges = record_here(lambda dsn: under_span(connects, dsn, program), postgres.dsn)
    failed = [each for each in exchanges if each.type == "net.connect"]
    assert [each.request["call"] for each in failed] == [1, 3, 4]
    assert "nothing" in repr(failed[0].result)
    replayed = replay_here(lambda dsn: connects(dsn, program), exchanges)
    assert (replayed.given, replayed.missed, replayed.is_used_up) == (given, [], True)


def test_a_failed_connect_that_is_not_made_again_is_left_over(postgres: PostgresServer) -> None:
    _, exchanges = record_here(lambda dsn: under_span(connects, dsn, ["postgres", "nothing"]), postgres.dsn)
    replayed = replay_here(lambda dsn: connects(dsn, ["postgres"]), exchanges)
    assert not replayed.is_used_up


def test_a_connect_fails_again_whatever_pools_connect_before_it(postgres: PostgresServer) -> None:
    """A pool that was warm when it was recorded is cold in replay."""
    _, exchanges = record_here(lambda dsn: under_span(connects, dsn, ["nothing", "nothing"]), postgres.dsn)
    colder = ["postgres", "nothing", "postgres", "nothing"]
    replayed = replay_here(lambda dsn: connects(dsn, colder), exchanges, postgres.dsn)
    assert replayed.is_used_up
    assert replayed.given.count("nothing") == 2
    assert replayed.missed == ["select 1", "select 1"]  # those two connected


def test_a_failure_that_another_driver_recorded_is_a_miss_that_says_so(postgres: PostgresServer) -> None:
    _, [exchange] = record_here(lambda dsn: under_span(connects, dsn, ["nothing"]), postgres.dsn)
    signature = replace(exchange.signature, lib="asyncpg")
    replayed = replay_here(lambda dsn: connects(dsn, ["nothing"]), [replace(exchange, signature=signature)])
    assert "InternalError_" in replayed.given
    assert "psycopg cannot raise what asyncpg raised" in replayed.given
    assert replayed.missed == ["connect 127.0.0.1"]


def under_span(program: Callable[..., Any], *arguments: Any) -> Any:
    with TracerProvider().get_tracer("tests").start_as_current_span("recorded"):
        return program(*arguments)


def test_an_app_that_gave_up_connecting_gives_up_again(tmp_path: Path) -> None:
    """A server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} user=app dbname=shop"
        recorded = record("failure_scenarios:impatient", dsn, tmp_path)
    replayed = replay("failure_scenarios:impatient", PRODUCTION, tmp_path)
    assert recorded.given == repr([("ConnectionTimeout", "connection timeout expired"), "TimeoutError"])
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())
