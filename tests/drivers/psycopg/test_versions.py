"""The oldest psycopg that is supported, and the one that is installed: what one recorded replays in the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drivers.psycopg.harness import ROOT, record, replay
from tests.drivers.psycopg.test_replay import PRODUCTION
from tests.servers.postgres import PostgresServer

OLDEST = "3.2.0" if sys.version_info < (3, 13) else "3.2.2" if sys.version_info < (3, 14) else "3.2.10"
"""That has a wheel for this Python."""
# Not here, since releases of psycopg differ by themselves: types that are looked up, a COPY that its app breaks off,
# and what is raised when the server ends a connection.
SCENARIOS = ",".join(
    (
        *("values", "errors", "many", "many_failing", "cursors", "settings", "piece_by_piece"),
        *("cursor_scenarios:server_cursors", "cursor_scenarios:server_cursors_async"),
        *("copy_scenarios:copies", "copy_scenarios:copies_async"),
        *("pipeline_scenarios:pipelines", "pipeline_scenarios:two_phases"),
        "failure_scenarios:conflicts",
    )
)


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with it. Skips or fails where it cannot be installed."""
    folder = tmp_path_factory.mktemp("oldest")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "--only-binary", ":all:"]
    packages = [f"psycopg=={OLDEST}", f"psycopg-binary=={OLDEST}"]
    done = subprocess.run([*command, "--target", str(folder), *packages], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return os.pathsep.join([str(folder), str(ROOT)])
    if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
        pytest.fail(done.stderr)
    pytest.skip(f"psycopg {OLDEST} cannot be installed: {done.stderr.strip()[-200:]}")


def test_the_oldest_and_the_installed_psycopg_replay_each_other(
    postgres: PostgresServer, oldest: str, tmp_path: Path
) -> None:
    newest = str(ROOT)
    for name, first, second in (("old to new", oldest, newest), ("new to old", newest, oldest)):
        recorded = record(SCENARIOS, postgres.dsn, tmp_path / name, PYTHONPATH=first)
        replayed = replay(SCENARIOS, PRODUCTION, tmp_path / name, PYTHONPATH=second)
        assert recorded.version != replayed.version
        assert replayed.given == recorded.given, name
        assert [each for each in replayed.said if each["event"] != "redacted"] == []
        assert (recorded.failures, replayed.unused) == ({}, ())
