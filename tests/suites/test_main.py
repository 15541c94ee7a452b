"""One judgement of each library, and what `all` makes of them."""

from __future__ import annotations

import pytest

from tests.suites.__main__ import LIBRARIES, judge_each, main


def test_all_is_as_bad_as_its_worst_library_and_leaves_none_out(capsys: pytest.CaptureFixture[str]) -> None:
    judged = list[str]()

    def judge(library: str) -> int:
        judged.append(library)
        assert library != "broken", "no server"
        return 1 if library == "differing" else 0

    assert judge_each(["same"], judge) == 0
    assert judge_each(["same", "broken", "same too"], judge) == 1
    assert judge_each(["differing", "same"], judge) == 1
    assert judged == ["same", "same", "broken", "same too", "differing", "same"]
    assert "its tests did not run: no server" in capsys.readouterr().out


def test_all_is_no_place_for_single_tests(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"asyncpg", "celery", "kombu", "pymongo", "starlette"} <= set(LIBRARIES)
    with pytest.raises(SystemExit, match="2"):
        main(["all", "--only", "tests/test_pool.py"])
    assert "--only names the tests of one library" in capsys.readouterr().err
