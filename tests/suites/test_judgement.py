"""What is told from runs of a library's own tests."""

from __future__ import annotations

from tests.suites.judgement import ABSENT, judge

PASSED, FAILED = "1 passed", "1 failed"


def test_runs_that_come_to_the_same_do_not_differ() -> None:
    found = judge([{"a": PASSED, "b": FAILED}] * 3, [{"a": PASSED, "b": FAILED}] * 3)
    assert (found.stable, found.unstable, found.differences) == (2, {}, {})


def test_a_test_that_fails_once_with_the_taps_in_differs() -> None:
    found = judge([{"a": PASSED}] * 3, [{"a": PASSED}, {"a": FAILED}, {"a": PASSED}])
    assert found.differences == {"a": (PASSED, [PASSED, FAILED, PASSED])}


def test_a_test_that_is_unstable_under_plain_opentelemetry_is_set_aside() -> None:
    found = judge([{"a": PASSED}, {"a": FAILED}], [{"a": FAILED}] * 2)
    assert (found.stable, found.unstable, found.differences) == (0, {"a": [PASSED, FAILED]}, {})


def test_a_test_that_runs_in_one_way_only_differs() -> None:
    found = judge([{"a": PASSED}] * 2, [{"b": PASSED}] * 2)
    assert found.differences == {"a": (PASSED, [ABSENT, ABSENT]), "b": (ABSENT, [PASSED, PASSED])}
