"""Requests that a server answers at once, by the same statements with different answers: each cassette has its own."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.demonstration import ROOT, environment
from tests.launching import SPARED
from tests.promises.conftest import database
from tests.promises.running import cassettes, recording, replay, send, service
from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.store import save_bundle

pytestmark = pytest.mark.postgres

PATHS = ["/poll", "/poll-in-a-thread"] * 6
Recorded = Sequence[tuple[Cassette, Segment]]


@pytest.fixture(scope="module", params=["1", "3"])
def concurrent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recorded, list[Any]]:
    """Traces through warm pools of this size, and the responses; the server is stopped."""
    folder = tmp_path_factory.mktemp("concurrent")
    with database() as dsn:
        variables = recording(folder / "cassettes", DATABASE_URL=dsn, POOL_SIZE=request.param)
        with service(folder / "log", **variables) as url, ThreadPoolExecutor(len(PATHS)) as clients:
            responses = [json.loads(each.body) for each in clients.map(lambda path: send(url, path), PATHS)]
    return cassettes(folder / "cassettes"), responses


def states(segment: Segment) -> tuple[str, ...]:
    """What the recorded answers of PostgreSQL say, as text."""
    answers: list[Any] = [each.result["results"] for each in segment.exchanges if each.type == "db.query"]
    return tuple(_text(results[0]["values"][0][0]) for results in answers)


def _text(value: Any) -> str:
    return str(int.from_bytes(value, "big")) if isinstance(value, bytes) else str(value)


def test_each_cassette_holds_the_answers_of_its_own_request(concurrent: tuple[Recorded, list[Any]]) -> None:
    recorded, responses = concurrent
    sent = Counter(tuple(map(str, response["states"])) for response in responses)
    assert Counter(states(segment) for _, segment in recorded) == sent
    assert len(sent) == len(PATHS)
    assert sorted(sum(sent, ())) == sorted(map(str, range(1, 3 * len(PATHS) + 1)))


def test_each_replays_the_same_with_the_pool_to_itself(concurrent: tuple[Recorded, list[Any]], tmp_path: Path) -> None:
    recorded, _ = concurrent
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda each: replay(each[0].path, tmp_path, POOL_SIZE="1"), recorded[:4]))
    assert [(each.verdict, each.findings) for each in found] == [("same", [])] * 4


def test_a_control_with_the_answers_of_another_trace_deviates(
    concurrent: tuple[Recorded, list[Any]], tmp_path: Path
) -> None:
    (cassette, own), (_, other) = concurrent[0][:2]
    queries = [each for each in other.exchanges if each.type == "db.query"]
    mixed = replace(own, exchanges=(*[each for each in own.exchanges if each.type != "db.query"], *queries))
    path = save_bundle(replace(cassette, segments=(mixed,)), tmp_path / "mixed.cassette.json")
    found = replay(path, tmp_path)
    assert (found.status, found.verdict) == (1, "deviates")
    assert {each["path"] for each in found.differences} <= {f"body.$.states[{index}]" for index in range(3)}


@pytest.mark.long
def test_r34_requests_at_concurrency_50_are_as_many_cassettes_and_all_replay_the_same(
    tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    count, store = rounds(100), tmp_path / "cassettes"
    with (
        database() as dsn,
        service(tmp_path / "log", **recording(store, DATABASE_URL=dsn, POOL_SIZE="5")) as url,
        ThreadPoolExecutor(50) as clients,
    ):
        answers = list(clients.map(lambda _: send(url, "/poll"), range(count)))
    assert [each.status for each in answers] == [200] * count
    assert len(cassettes(store)) == count
    done = subprocess.run(
        ["timetracer-otel", "replay", "--all", str(store)],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT), **SPARED),
        capture_output=True,
        text=True,
        timeout=60 + 20 * count,
        check=False,
    )
    assert (done.returncode, f": {count} same" in done.stdout) == (0, True), done.stdout + done.stderr
