"""Values that are drawn from chance: in each run others, and the same requests. All servers are stopped first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises import drawn_app
from tests.promises.running import Replayed, cassettes, replay, send
from tests.promises.six_stores import serving

pytestmark = pytest.mark.postgres

LIBRARIES = {"asyncpg", "botocore", "http", "psycopg", "pymongo", "redis"}
GIVEN = "ORD-12AB34CD"
Again = Callable[..., Replayed]


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Again:
    """Replays the request that draws, or the one that is given its code."""
    folder = tmp_path_factory.mktemp("drawn")
    with serving("tests.promises.drawn_app:app", drawn_app.SCHEMA, drawn_app.TABLE, folder) as (url, variables):
        answers = [send(url, "/orders"), send(url, f"/orders/{GIVEN}")]
    assert not [each for each in answers if "Error" in each.body.decode() or each.status != 200], answers
    drawn, given = (cassette.path for cassette, _ in cassettes(folder / "cassettes"))

    def replayed(report: Path, is_given: bool = False, **more: str) -> Replayed:
        return replay(given if is_given else drawn, report, **{**variables, **more})

    return replayed


def test_what_is_drawn_is_the_same_in_another_run(again: Again, tmp_path: Path) -> None:
    found = again(tmp_path)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    assert {each["kind"] for each in found.report["mappings"]} == {"drawn", "machine", "trace"}
    drawn = found.report["mappings"]
    assert len(drawn) > 30
    assert not {str(each["recorded"]) for each in drawn} & {str(each["replayed"]) for each in drawn}
    assert any("random without a seed, drawn by" in line for line in found.report["uncontrolled"])


@pytest.mark.parametrize("changed", ["again", "status"])
def test_another_draw_for_the_same_value_and_any_other_change_is_found_with_each_driver(
    again: Again, tmp_path: Path, changed: str
) -> None:
    found = again(tmp_path, CHANGED=changed)
    assert (found.status, found.verdict) == (1, "deviates")
    assert {each["request"]["lib"] for each in found.report["misses"]} == LIBRARIES
    assert len(found.report["misses"]) == len(LIBRARIES)


def test_what_the_request_gave_is_not_taken_for_drawn(again: Again, tmp_path: Path) -> None:
    assert again(tmp_path, is_given=True).verdict == "same"
    found = again(tmp_path, is_given=True, CHANGED="own")
    assert (found.status, found.verdict) == (1, "deviates")
    (miss,) = found.report["misses"]
    assert [each["recorded"] for each in miss["differences"]] == [GIVEN]
