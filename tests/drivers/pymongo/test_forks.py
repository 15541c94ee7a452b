"""Workers that are forked with a client of their parent: each asks for itself, recorded and in replay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.drivers.pymongo.harness import record, replay
from tests.drivers.pymongo.test_replay import PRODUCTION
from tests.servers.mongo import MongoServer

PROGRAM = "tests.drivers.pymongo.forking"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_client_of_a_prefork_server_replays_in_each_worker(mongo: MongoServer, tmp_path: Path) -> None:
    recorded = record(tmp_path, f"mongodb://{mongo.address}/app?replicaSet=secantus", program=PROGRAM)
    mongo.stop()
    assert "Error" not in str(recorded.saw)
    replayed = replay(tmp_path, PRODUCTION.partition("&readPreference")[0], program=PROGRAM)
    assert replayed.saw == recorded.saw
    found = {name: replayed.report[name] for name in ("verdict", "misses", "unused", "uncontrolled")}
    assert found == {"verdict": "same", "misses": [], "unused": [], "uncontrolled": []}
    # Ids of workers are their own, so that no two of them have the same.
    assert [each["kind"] for each in replayed.report["mappings"]] == ["object_id", "object_id"]
