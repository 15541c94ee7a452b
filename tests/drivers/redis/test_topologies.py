"""A cluster and a sentinel: which servers there are is recorded with what they are asked, and none is needed."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import started
from tests.drivers.redis.harness import SAME, exchanges_in, record, replay
from tests.servers.redis_topologies import RedisCluster, Sentinel

PROGRAM = "tests.drivers.redis.topologies"


def test_a_cluster_and_a_primary_found_by_a_sentinel_are_the_same_in_replay(tmp_path: Path) -> None:
    cluster, sentinel = started(RedisCluster), started(Sentinel)
    ports = str(cluster.port), str(sentinel.port)
    recorded = record(tmp_path, PROGRAM, *ports)
    cluster.stop()
    sentinel.stop()
    assert "'MovedError'" in recorded.saw[0]
    assert {"SENTINEL MASTERS", "PIPELINE"} <= {e.signature.method for e in exchanges_in(tmp_path)}
    replayed = replay(tmp_path, PROGRAM, *ports)
    assert replayed.saw == recorded.saw, replayed.stderr
    assert replayed.found == SAME
