"""Recorded against a real server, replayed in a process of its own under an address that leads nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.drivers.asyncpg import copy_scenarios, listener_scenarios, pool_scenarios, scenarios, type_scenarios
from tests.drivers.asyncpg.harness import record, replay
from tests.servers.postgres import PostgresServer

PRODUCTION = "postgresql://app:secret@db.prod.example:5432/postgres?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"
LOOPS = ("asyncio", pytest.param("uvloop", marks=pytest.mark.skipif(sys.platform == "win32", reason="no uvloop")))
FURTHER = tuple(
    scenario
    for module in (pool_scenarios, copy_scenarios, type_scenarios, listener_scenarios)
    for scenario in module.SCENARIOS
)
MASKED = {"errors": [("redacted", "result.error")]}
"""The row of a table that a server repeats in an error is masked as a whole, which replay says."""


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("scenario", [each.__name__ for each in scenarios.SCENARIOS])
def test_r41_a_program_sees_the_same_in_replay(
    postgres: PostgresServer, tmp_path: Path, scenario: str, loop: str
) -> None:
    recorded = record(scenario, postgres.dsn, tmp_path, LOOP=loop)
    replayed = replay(scenario, PRODUCTION, tmp_path, LOOP=loop)
    assert recorded.failures == {}
    assert replayed.given == recorded.given
    assert [(each["event"], each.get("path")) for each in replayed.said] == MASKED.get(scenario, [])
    assert replayed.unused == ()


@pytest.mark.parametrize("scenario", [each.__name__ for each in FURTHER])
def test_r07_r41_whatever_asyncpg_can_do_replays(postgres: PostgresServer, tmp_path: Path, scenario: str) -> None:
    recorded = record(scenario, postgres.dsn, tmp_path)
    replayed = replay(scenario, PRODUCTION, tmp_path)
    assert recorded.failures == {}
    assert replayed.given == recorded.given
    assert [each["event"] for each in replayed.said] == []
    assert replayed.unused == ()


def test_a_request_recorded_on_warm_connections_replays_cold(postgres: PostgresServer, tmp_path: Path) -> None:
    recorded = record("own_warm_pool", postgres.dsn, tmp_path)
    replayed = replay("own_warm_pool", PRODUCTION, tmp_path)
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())
    assert replayed.recorded[0].startswith("BEGIN")
    assert not [each for each in replayed.recorded if "pg_type" in each or "pg_advisory" in each]


def test_an_engine_that_was_warm_replays_cold(postgres: PostgresServer, tmp_path: Path) -> None:
    recorded = record("own_alchemy_warm", postgres.dsn, tmp_path)
    replayed = replay("own_alchemy_warm", PRODUCTION, tmp_path)
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())
    assert len(replayed.recorded) == 3


@pytest.mark.parametrize("scenario", ["own_by_psycopg", "own_by_asyncpg"])
def test_a_cassette_of_one_driver_answers_the_other(postgres: PostgresServer, tmp_path: Path, scenario: str) -> None:
    recorded = record(scenario, postgres.dsn, tmp_path)
    replayed = replay(scenario, PRODUCTION, tmp_path)
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())
