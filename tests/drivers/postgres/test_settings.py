"""What a pool's own set-up of a connection makes the server report: known in replay, warm or cold."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.promises.running import only, record_script, with_report
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.postgres

PROGRAM = """
import asyncio, inspect, sys
from tests.drivers.postgres import setting_scenarios

setting_scenarios.PART, dsn = sys.argv[1:]
given = setting_scenarios.{name}(dsn)
print(repr(asyncio.run(given) if inspect.iscoroutine(given) else given))
"""
PRODUCTION = "postgresql://app@db.prod.internal/postgres?sslmode=verify-full"


@pytest.mark.parametrize(
    "scenario", ["psycopg_pool_warm", "psycopg_pool_cold", "asyncpg_pool_warm", "asyncpg_pool_cold"]
)
def test_settings_of_a_connection_that_a_pool_sets_up_are_those_of_the_recording(
    postgres: PostgresServer, tmp_path: Path, scenario: str
) -> None:
    code = PROGRAM.format(name=scenario)
    printed = record_script(code, tmp_path / "cassettes", "record", postgres.dsn)
    cassette, _ = only(tmp_path / "cassettes")
    command = ["timetracer-otel", "exec", cassette.path]
    found = with_report(command, tmp_path, {}, ("--", sys.executable, "-c", code, "replay", PRODUCTION))
    assert found.output.splitlines()[0] == printed.strip()
    assert "Asia/Tokyo" in printed
    assert (found.status, found.verdict) == (0, "same")
