"""A request that was recorded beside others is replayed alone, by a pool that begins anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.launching import instrumented
from tests.promises import pool_app
from tests.promises.conftest import database
from tests.promises.running import cassettes, recording, replay, send, service
from timetracer_otel.cassette import Segment

pytestmark = pytest.mark.postgres

DRIVERS = instrumented("asyncpg", "starlette")
ENGINE = instrumented("psycopg", "starlette")
GROWN, WARM = "/one", "/all"
SET_UP = "SET lock_timeout = '5s'"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The cassettes by their paths: `GROWN` made a connection, which nobody had made before, and `WARM` made none."""
    folder = tmp_path_factory.mktemp("pools")
    variables = recording(folder / "cassettes", APP="tests.promises.pool_app:app", **DRIVERS)
    with (
        database("") as dsn,
        service(folder / "log", DATABASE_URL=dsn, **variables) as url,
        ThreadPoolExecutor(1) as another,
    ):
        holding = another.submit(send, url, "/hold")
        for path in ("/held", GROWN, "/release", WARM, WARM):
            assert send(url, path).status == 200, (folder / "log").read_text()
        holding.result()
    found = {entry(segment): (cassette.path, segment) for cassette, segment in cassettes(folder / "cassettes")}
    assert [pool_app.SET in statements(found[path][1]) for path in (GROWN, WARM)] == [True, False]
    return {path: cassette for path, (cassette, _) in found.items()}


def entry(segment: Segment) -> str:
    """Of `/all`, which is asked for twice, the second one is kept."""
    return str(segment.exchanges[0].request["path"])


def statements(segment: Segment) -> list[object]:
    return [each.request.get("statement") for each in segment.exchanges]


def test_a_request_for_which_the_pool_grew_replays_where_it_need_not(
    recorded: Mapping[str, str], tmp_path: Path
) -> None:
    found = replay(recorded[GROWN], tmp_path, **DRIVERS)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


def test_a_request_for_which_the_pool_need_not_grow_replays_where_it_does(
    recorded: Mapping[str, str], tmp_path: Path
) -> None:
    found = replay(recorded[WARM], tmp_path, **DRIVERS)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


@pytest.mark.parametrize("path", [GROWN, WARM])
def test_a_pool_that_asks_something_else_of_its_connections_is_found(
    path: str, recorded: Mapping[str, str], tmp_path: Path
) -> None:
    found = replay(recorded[path], tmp_path, TENANT="other", **DRIVERS)
    assert (found.status, found.verdict) == (1, "deviates"), found.output


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """Two requests: the engine connects in the first one, and sets that connection up."""
    folder = tmp_path_factory.mktemp("engine")
    variables = recording(folder / "cassettes", APP="tests.promises.engine_app:app", **ENGINE)
    with database("") as dsn, service(folder / "log", DATABASE_URL=dsn, **variables) as url:
        for number in (1, 2):
            assert send(url, f"/orders/{number}").status == 200, (folder / "log").read_text()
    found = cassettes(folder / "cassettes")
    assert [SET_UP in statements(segment) for _, segment in found] == [True, False]
    return [cassette.path for cassette, _ in found]


@pytest.mark.parametrize("number", [0, 1], ids=["connects", "was connected"])
def test_a_connection_that_an_event_of_sqlalchemy_sets_up_is_set_up_anew(
    number: int, orders: Sequence[str], tmp_path: Path
) -> None:
    found = replay(orders[number], tmp_path, **ENGINE)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


def test_another_set_up_than_the_recorded_one_is_found(orders: Sequence[str], tmp_path: Path) -> None:
    found = replay(orders[0], tmp_path, WAIT="6s", **ENGINE)
    assert (found.status, found.verdict) == (1, "deviates"), found.output
