"""Requests that got no connection from a full pool: others had them, and none of those is there in the replay."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import started
from tests.launching import instrumented
from tests.promises import full_app
from tests.promises.running import Answer, cassettes, recording, replay, send, service
from tests.servers.postgres import PostgresServer
from timetracer_otel.replay.library import entry_of

pytestmark = pytest.mark.postgres

DRIVERS = instrumented("asyncpg", "psycopg", "starlette")
GIVES_UP = {
    "sync_pool": ("PoolTimeout", "couldn't get a connection after 0.20 sec"),
    "async_pool": ("PoolTimeout", "couldn't get a connection after 0.20 sec"),
    "asyncpg_pool": ("TimeoutError", ""),
    "cancelled": ("TimeoutError", ""),
    "alchemy": ("TimeoutError", "QueuePool limit of size 1 overflow 0 reached, connection timed out"),
    "alchemy_async": ("TimeoutError", "QueuePool limit of size 1 overflow 0 reached, connection timed out"),
    "alchemy_cancelled": ("TimeoutError", ""),
}


@dataclass(frozen=True)
class Recorded:
    answers: dict[str, Answer]
    paths: dict[str, str]
    """By kind the cassette of the request that gave up."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder, answers = tmp_path_factory.mktemp("full"), dict[str, Answer]()
    postgres = started(PostgresServer)
    variables = recording(folder / "cassettes", APP="tests.promises.full_app:app", DATABASE_URL=postgres.dsn, **DRIVERS)
    try:
        with service(folder / "log", **variables) as url, ThreadPoolExecutor(1) as pool:
            for kind in full_app.KINDS:
                holding = pool.submit(send, url, f"/hold/{kind}")
                time.sleep(full_app.HELD_S / 3)
                answers[kind] = send(url, f"/try/{kind}")
                holding.result()
            answers["own"] = send(url, "/own")
    finally:
        postgres.stop()
    found = [(cassette, entry_of(segment)) for cassette, segment in cassettes(folder / "cassettes")]
    urls = {entry.signature.url: cassette.path for cassette, entry in found if entry is not None}
    return Recorded(answers, {"own": urls["/own"], **{kind: urls[f"/try/{kind}"] for kind in full_app.KINDS}})


@pytest.mark.parametrize("kind", full_app.KINDS)
def test_the_same_attempt_gets_none_again(recorded: Recorded, tmp_path: Path, kind: str) -> None:
    name, message = GIVES_UP[kind]
    told = json.loads(recorded.answers[kind].body)
    assert (told["told"][0], told["then"]) == (name, 7)
    assert told["told"][1].startswith(message)
    found = replay(recorded.paths[kind], tmp_path, **DRIVERS)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


@pytest.mark.parametrize("kind", ["sync_pool", "asyncpg_pool", "alchemy_async"])
def test_one_attempt_more_before_it_is_found(recorded: Recorded, tmp_path: Path, kind: str) -> None:
    found = replay(recorded.paths[kind], tmp_path, **DRIVERS, MORE="1")
    assert (found.status, found.verdict) == (1, "deviates"), found.output


def test_a_pool_that_the_request_itself_had_filled_refuses_as_often_again(recorded: Recorded, tmp_path: Path) -> None:
    assert json.loads(recorded.answers["own"].body)["refused"] > 0
    found = replay(recorded.paths["own"], tmp_path, **DRIVERS)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
