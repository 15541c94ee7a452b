"""The oldest asyncpg that is supported, and the one that is installed: what one recorded replays in the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drivers.asyncpg.harness import ROOT, Run, record, replay
from tests.drivers.asyncpg.test_replay import PRODUCTION
from tests.servers.postgres import PostgresServer

OLDEST = "0.29.0" if sys.version_info < (3, 13) else "0.30.0" if sys.version_info < (3, 14) else "0.31.0"
"""That has a wheel for this Python."""
SCENARIOS = "values,transactions,cursors,errors,codecs,uncached,introspected,copies,copied_out,notified,logged"
MASKED = ("redacted", "result.error")


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with it. Skips or fails where it cannot be installed."""
    folder = tmp_path_factory.mktemp("oldest")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    command = [*pip, "--only-binary", "asyncpg", "--target", str(folder)]
    done = subprocess.run([*command, f"asyncpg=={OLDEST}"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return os.pathsep.join([str(folder), str(ROOT)])
    if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
        pytest.fail(done.stderr)
    pytest.skip(f"asyncpg {OLDEST} cannot be installed: {done.stderr.strip()[-200:]}")


def test_the_oldest_and_the_installed_asyncpg_replay_each_other(
    postgres: PostgresServer, oldest: str, tmp_path: Path
) -> None:
    newest = str(ROOT)
    for name, first, second in (("old to new", oldest, newest), ("new to old", newest, oldest)):
        recorded = record(SCENARIOS, postgres.dsn, tmp_path / name, PYTHONPATH=first)
        replayed = replay(SCENARIOS, PRODUCTION, tmp_path / name, PYTHONPATH=second)
        assert recorded.version != replayed.version
        assert replayed.given == recorded.given, name
        assert _beyond_masking(replayed) == []
        assert (recorded.failures, replayed.unused) == ({}, ())


def _beyond_masking(run: Run) -> list[object]:
    return [each for each in run.said if (each["event"], each.get("path")) != MASKED]
