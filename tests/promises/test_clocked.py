"""Values that are reckoned from the clock: in each run others, and the same requests. All servers are stopped first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises import clocked_app
from tests.promises.running import Replayed, only, replay, send
from tests.promises.six_stores import serving

pytestmark = pytest.mark.postgres

Again = Callable[..., Replayed]


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Again:
    """Replays the request."""
    folder = tmp_path_factory.mktemp("clocked")
    with serving("tests.promises.clocked_app:app", clocked_app.SCHEMA, clocked_app.TABLE, folder) as (url, variables):
        answer = send(url, "/tokens")
    assert "Error" not in answer.body.decode(), answer.body
    cassette, _ = only(folder / "cassettes")

    def replayed(report: Path, **more: str) -> Replayed:
        return replay(cassette.path, report, **{**variables, **more})

    return replayed


def test_what_is_reckoned_from_the_clock_is_the_same_in_another_run(again: Again, tmp_path: Path) -> None:
    found = again(tmp_path)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    assert {each["kind"] for each in found.report["mappings"]} == {"instant"}
    assert not {str(each["recorded"]) for each in found.report["mappings"]} & {
        str(each["replayed"]) for each in found.report["mappings"]
    }


def test_a_second_more_is_another_request_of_each_driver(again: Again, tmp_path: Path) -> None:
    found = again(tmp_path, LATER="1")
    assert (found.status, found.verdict) == (1, "deviates")
    missed = {each["request"]["lib"] for each in found.report["misses"]}
    assert missed == {"asyncpg", "botocore", "http", "psycopg", "pymongo", "redis"}
    assert len(found.report["misses"]) == len(missed)
