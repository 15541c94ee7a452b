"""The oldest pymongo that is supported, and the last whose commands take another way to the socket (before 4.18)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drivers.pymongo.harness import commands_in, record, replay
from tests.drivers.pymongo.test_replay import OPTIONS, PRODUCTION
from tests.servers.mongo import MongoServer

VERSIONS = ("4.9", "4.17.0") if sys.version_info < (3, 14) else ("4.17.0",)
"""That have a wheel for this Python."""


@pytest.mark.parametrize("version", VERSIONS)
def test_r03_an_older_pymongo_records_every_command_and_replays_it(
    mongo: MongoServer, older: Callable[[str], str], tmp_path: Path, version: str
) -> None:
    path, store = older(version), tmp_path / "store"
    recorded = record(store, "all", f"mongodb://{mongo.address}/app?replicaSet=secantus&{OPTIONS}", PYTHONPATH=path)
    mongo.stop()
    assert (recorded.saw["version"], "Traceback" in str(recorded.saw)) == (version, False)
    assert commands_in(store) == recorded.saw["commands"]
    replayed = replay(store, "all", PRODUCTION, PYTHONPATH=path)
    assert replayed.saw == recorded.saw
    found = {name: replayed.report[name] for name in ("verdict", "misses", "unused", "uncontrolled")}
    assert found == {"verdict": "same", "misses": [], "unused": [], "uncontrolled": []}
