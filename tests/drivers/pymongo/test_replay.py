"""Recorded against a real server, which is stopped, and replayed in a process without a network, under the address that
production would use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drivers.pymongo.harness import commands_in, record, replay
from tests.servers.mongo import MongoServer

OPTIONS = "readPreference=secondaryPreferred"
PRODUCTION = f"mongodb+srv://user:pw@cluster.example/app?tls=true&replicaSet=rs0&{OPTIONS}"


@pytest.mark.parametrize("kind", ["sync", "special", "async", "motor"])
def test_r01_r02_r03_a_program_sees_the_same_in_replay(mongo: MongoServer, tmp_path: Path, kind: str) -> None:
    recorded = record(tmp_path, kind, f"mongodb://{mongo.address}/app?replicaSet=secantus&{OPTIONS}")
    mongo.stop()
    assert commands_in(tmp_path) == recorded.saw["commands"]
    replayed = replay(tmp_path, kind, PRODUCTION)
    assert "Traceback" not in str(recorded.saw)
    assert replayed.saw == recorded.saw
    found = {name: replayed.report[name] for name in ("verdict", "misses", "unused", "uncontrolled")}
    assert found == {"verdict": "same", "misses": [], "unused": [], "uncontrolled": []}
    mappings = replayed.report["mappings"]
    # The clock of the upload of a file ticks. motor's threads make the ids of `gathered`, which prints none,
    # in whatever order they run: these may change places, and nothing else is renamed.
    assert {each["kind"] for each in mappings} <= {"instant"} | ({"object_id"} if kind == "motor" else set())
    renamed = [each for each in mappings if each["kind"] == "object_id"]
    assert {each["recorded"] for each in renamed} == {each["replayed"] for each in renamed}
    assert "failed" not in recorded.stderr, recorded.stderr
