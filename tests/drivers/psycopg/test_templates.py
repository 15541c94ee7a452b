"""Statements that are template strings: recorded against a real server, replayed in a process of its own without it."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest

from tests.drivers.psycopg.harness import record, replay
from tests.servers.postgres import PostgresServer

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 14), reason="Python has template strings since 3.14"),
    pytest.mark.skipif(psycopg.__version__ < "3.3", reason="psycopg takes template strings since 3.3"),
]


@pytest.mark.parametrize("implementation", ["binary", "python"])
@pytest.mark.usefixtures("libpq")
def test_template_strings_replay_after_the_server_has_stopped(
    stoppable_postgres: PostgresServer, tmp_path: Path, implementation: str
) -> None:
    scenarios = "template_scenarios:templates,template_scenarios:templates_async"
    recorded = record(scenarios, stoppable_postgres.dsn, tmp_path, PSYCOPG_IMPL=implementation)
    stoppable_postgres.stop()
    replayed = replay(scenarios, stoppable_postgres.dsn, tmp_path, PSYCOPG_IMPL=implementation)
    assert "division by zero" in recorded.given
    assert replayed.given == recorded.given
    assert (recorded.failures, replayed.said, replayed.unused) == ({}, (), ())


def test_another_value_in_a_template_string_is_a_miss(postgres: PostgresServer, tmp_path: Path) -> None:
    scenario = "template_scenarios:changed"
    record(scenario, postgres.dsn, tmp_path)
    assert replay(scenario, postgres.dsn, tmp_path).misses == ["select i from generate_series(1, $1) i"]
