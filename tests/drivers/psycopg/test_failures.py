"""Failures replay as the same exception of the driver at the same call."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from tests.drivers.psycopg.failure_scenarios import connects
from tests.drivers.psycopg.harness import record, replay
from tests.drivers.psycopg.here import PRODUCTION, record_here, replay_here
from tests.servers.postgres import PostgresServer

SAME = ("refused_connects", "refused_connects_async", "lost", "cancelled", "cancelled_async", "conflicts")


@pytest.mark.parametrize("implementation", ["binary", "python"])
@pytest.mark.parametrize("scenario", SAME)
def test_a_program_sees_the_same_in_replay(
    postgres: PostgresServer, tmp_path: Path, scenario: str, implementation: str, request: pytest.FixtureRequest
) -> None:
    if implementation == "python":
        request.getfixturevalue("libpq")
    name = f"failure_scenarios:{scenario}"
    recorded = record(name, postgres.dsn, tmp_path, PSYCOPG_IMPL=implementation)
    replayed = replay(name, PRODUCTION, tmp_path, PSYCOPG_IMPL=implementation)
    assert recorded.failures == {}
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())


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
