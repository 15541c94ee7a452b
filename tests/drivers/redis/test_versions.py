"""The oldest redis-py that is supported, which has no RESP3 and other parsers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import started
from tests.drivers.redis.harness import ROOT, SAME, record, replay
from tests.drivers.redis.test_replay import PRODUCTION, PROGRAM
from tests.servers.redis import RedisServer

OLDEST = "4.6.0"


def installed(folder: Path) -> str:
    """A PYTHONPATH with that redis-py. Skips or fails where it cannot be installed."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "--target", str(folder)]
    done = subprocess.run([*command, f"redis=={OLDEST}"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
            pytest.fail(done.stderr)
        pytest.skip(f"redis {OLDEST} cannot be installed: {done.stderr.strip()[-200:]}")
    return os.pathsep.join([str(folder), str(ROOT)])


def test_the_oldest_redis_py_is_recorded_and_replayed(tmp_path: Path) -> None:
    path, store = installed(tmp_path / "packages"), tmp_path / "store"
    server = started(RedisServer)
    recorded = record(store, PROGRAM, f"redis://127.0.0.1:{server.port}", PYTHONPATH=path)
    server.stop()
    assert len(recorded.saw) == 4
    replayed = replay(store, PROGRAM, PRODUCTION, PYTHONPATH=path)
    assert replayed.saw == recorded.saw, replayed.stderr
    assert replayed.found == SAME
