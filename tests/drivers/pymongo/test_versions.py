"""The oldest pymongo that is supported, and the last whose commands take another way to the socket (before 4.18)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drivers.pymongo.harness import ROOT, commands_in, record, replay
from tests.drivers.pymongo.test_replay import OPTIONS, PRODUCTION
from tests.servers.mongo import MongoServer

VERSIONS = ("4.9", "4.17.0") if sys.version_info < (3, 14) else ("4.17.0",)
"""That have a wheel for this Python."""


def installed(version: str, folder: Path) -> str:
    """A PYTHONPATH with that pymongo. Skips or fails where it cannot be installed."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", "pymongo"]
    done = subprocess.run(
        [*command, "--target", str(folder), f"pymongo=={version}"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
            pytest.fail(done.stderr)
        pytest.skip(f"pymongo {version} cannot be installed: {done.stderr.strip()[-200:]}")
    return os.pathsep.join([str(folder), str(ROOT)])


@pytest.mark.parametrize("version", VERSIONS)
def test_r03_an_older_pymongo_records_every_command_and_replays_it(
    mongo: MongoServer, tmp_path: Path, version: str
) -> None:
    path, store = installed(version, tmp_path / "packages"), tmp_path / "store"
    recorded = record(store, "all", f"mongodb://{mongo.address}/app?replicaSet=secantus&{OPTIONS}", PYTHONPATH=path)
    mongo.stop()
    assert (recorded.saw["version"], "Traceback" in str(recorded.saw)) == (version, False)
    assert commands_in(store) == recorded.saw["commands"]
    replayed = replay(store, "all", PRODUCTION, PYTHONPATH=path)
    assert replayed.saw == recorded.saw
    found = {name: replayed.report[name] for name in ("verdict", "misses", "unused", "uncontrolled")}
    assert found == {"verdict": "same", "misses": [], "unused": [], "uncontrolled": []}
