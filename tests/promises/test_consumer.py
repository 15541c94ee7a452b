"""A server that consumes a queue beside its requests: what its consumer asks while a request is replayed was never
recorded, and says nothing of the request. Redis is stopped first."""

from __future__ import annotations

from pathlib import Path

from tests.launching import instrumented
from tests.promises.running import cassettes, recording, replay, send, service
from tests.servers.redis import RedisServer

APP = "tests.promises.consumer_app:app"


def test_what_a_consumer_asks_beside_the_request_is_told_and_is_no_deviation(
    redis: RedisServer, tmp_path: Path
) -> None:
    store, variables = tmp_path / "cassettes", {"SHOP_REDIS": f"redis://127.0.0.1:{redis.port}", "APP": APP}
    variables |= instrumented("redis", "starlette")
    redis.command("SET", "stock", "7")
    with service(tmp_path / "log", **recording(store, **variables)) as url:
        assert [send(url, f"/stock/{number}").status for number in range(3)] == [200, 200, 200]
    redis.stop()
    for cassette, _ in cassettes(store):
        found = replay(cassette.path, tmp_path, **variables)
        assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
        asked = [line for line in found.report["uncontrolled"] if "outside of the entry" in line]
        assert asked
        assert all("tests/promises/consumer_app.py" in line for line in asked)
        changed = replay(cassette.path, tmp_path, **variables, CHANGED="1")
        assert changed.status == 1
        (miss,) = changed.report["misses"]
        assert [each["asked"] for each in miss["differences"]] == ["others"]
