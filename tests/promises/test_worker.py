"""What a process calls itself when it starts is another name in each run: the service registers by it, and its requests
ask with it. The server is stopped first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import started
from tests.launching import instrumented
from tests.promises.running import Replayed, only, recording, replay, send, service
from tests.servers.redis import RedisServer

APP = "tests.promises.worker_app:app"
DRIVERS = instrumented("redis", "starlette")
SLOWER_S = "1.5"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("worker")
    server = started(RedisServer)
    try:
        variables = recording(folder / "cassettes", APP=APP, REDIS_URL=server.url(), BUSY_S=SLOWER_S, **DRIVERS)
        with service(folder / "log", **variables) as url:
            assert send(url, "/work").status == 200
    finally:
        server.stop()
    return only(folder / "cassettes")[0].path


def again(cassette: str, folder: Path, **variables: str) -> Replayed:
    return replay(cassette, folder, **{**DRIVERS, **variables})


@pytest.mark.parametrize("busy_s", ["0", SLOWER_S])
def test_a_service_that_registers_itself_when_it_starts_replays(recorded: str, tmp_path: Path, busy_s: str) -> None:
    found = again(recorded, tmp_path, BUSY_S=busy_s)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    kinds = [each["kind"] for each in found.report["mappings"]]
    assert {"drawn", "machine"} <= set(kinds)
    assert "uuid4" not in kinds, "an id of the request is given back"


@pytest.mark.parametrize(
    ("changed", "statement"), [("id", "PUBLISH"), ("made", "PUBLISH"), ("job", "PUBLISH"), ("key", "HSET")]
)
def test_another_id_in_the_place_of_that_name_is_found(
    recorded: str, tmp_path: Path, changed: str, statement: str
) -> None:
    found = again(recorded, tmp_path, CHANGED=changed)
    assert (found.status, found.verdict) == (1, "deviates")
    assert found.report["misses"][0]["request"]["text"].strip() == statement
