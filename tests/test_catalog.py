"""The catalog does what it says: recorded on a MongoDB server, each of its requests replays the same without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demonstration import ROOT, environment
from tests.servers.mongo import MongoServer


@pytest.mark.parametrize("module", ["web", "web_async"])
def test_the_catalog_fails_in_replay_as_it_did(mongo: MongoServer, tmp_path: Path, module: str) -> None:
    """It starts its own server; `mongo` skips where none can run."""
    mongo.stop()
    command = [sys.executable, str(ROOT / "examples" / "catalog.py"), module, str(tmp_path / "catalog")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TypeError: 'NoneType' object is not subscriptable" in done.stdout
    assert done.stdout.count("\nsame  ") == 7
