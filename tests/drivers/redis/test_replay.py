"""Recorded against a real server, which is stopped, and replayed in a process without a network, under the address that
production would use."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import started
from tests.drivers.redis.harness import SAME, exchanges_in, record, replay
from tests.drivers.redis.operations import STEPS
from tests.servers.redis import RedisServer

PROGRAM = "tests.drivers.redis.program"
PRODUCTION = "rediss://app:secret@cache.example:6380?ssl_ca_certs=/no/ca.pem&ssl_certfile=/no/cert.pem"


def test_r01_r32_what_is_asked_over_either_protocol_by_either_parser_and_client_is_the_same_in_replay(
    tmp_path: Path,
) -> None:
    server = started(RedisServer)
    recorded = record(tmp_path, PROGRAM, f"redis://127.0.0.1:{server.port}")
    server.stop()
    assert len(STEPS) >= 40
    assert len(recorded.saw) == 8
    assert "failed" not in recorded.stderr, recorded.stderr
    exchanges = exchanges_in(tmp_path)
    assert all(each.complete for each in exchanges)
    assert not any(each.signature.method in ("AUTH", "HELLO") for each in exchanges)
    replayed = replay(tmp_path, PROGRAM, PRODUCTION)
    assert replayed.saw == recorded.saw, replayed.stderr
    assert replayed.found == SAME
