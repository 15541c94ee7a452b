"""The catalog does what it says: recorded on a MongoDB server, each of its requests replays the same without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.demonstration import ROOT, environment
from tests.servers.mongo import MongoServer

MODULES = ("web", "web_async")
REQUESTS = 6
TIMEOUT_S = 240


def test_the_catalog_and_its_async_twin_fail_in_replay_as_they_did(mongo: MongoServer, tmp_path: Path) -> None:
    """Each starts its own server, and a process for each request; both run at once. `mongo` skips where none can."""
    mongo.stop()
    running = {module: start(module, tmp_path) for module in MODULES}
    for module, process in running.items():
        said, _ = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, f"{module}: {said}"
        assert "TypeError: 'NoneType' object is not subscriptable" in said, module
        assert said.count("\nsame  ") == REQUESTS, module


def start(module: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "examples" / "catalog.py"), module, str(folder / module)]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
