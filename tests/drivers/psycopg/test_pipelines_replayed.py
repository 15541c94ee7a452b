"""Pipelines, two-phase commit and the like: recorded against a real server, replayed in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drivers.psycopg.harness import record, replay
from tests.drivers.psycopg.here import PRODUCTION
from tests.servers.postgres import PostgresServer

SAME = ("pipelines", "pipelines_async", "two_phases", "looked_up_types", "several_statements")


@pytest.mark.parametrize("implementation", ["binary", "python"])
@pytest.mark.parametrize("scenario", SAME)
def test_a_program_sees_the_same_in_replay(
    postgres: PostgresServer, tmp_path: Path, scenario: str, implementation: str, request: pytest.FixtureRequest
) -> None:
    if implementation == "python":
        request.getfixturevalue("libpq")
    name = f"pipeline_scenarios:{scenario}"
    recorded = record(name, postgres.dsn, tmp_path, PSYCOPG_IMPL=implementation)
    replayed = replay(name, PRODUCTION, tmp_path, PSYCOPG_IMPL=implementation)
    assert recorded.failures == {}
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())
