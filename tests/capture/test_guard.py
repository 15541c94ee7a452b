"""The guard: counts, logs once, lets the application go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import asking, guarded


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(guard, "strict", False)
    guard.failures.clear()
    yield
    guard.failures.clear()


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


@pytest.mark.parametrize("error", [ValueError("x"), Unprintable(), RecursionError(), MemoryError()])
def test_a_failure_is_counted_each_time_and_logged_once(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    @guarded("tap")
    def tap() -> int:
        raise error

    assert [tap(), tap(), tap()] == [None, None, None]
    assert guard.counts() == {"tap": 3}
    (line,) = caplog.messages
    assert "tap failed" in line
    assert type(error).__name__ in line


def test_a_question_is_guarded_as_all_else(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([True, 1 / 2])

    @asking("tap")
    def is_heard() -> object:
        return next(answers)

    assert [is_heard(), is_heard(), is_heard()] == [True, 0.5, None]
    assert guard.counts() == {"tap": 1}
    guard.strict = True
    with pytest.raises(StopIteration):
        is_heard()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_program_passes(error: type[BaseException]) -> None:
    @guarded("tap")
    def tap() -> None:
        raise error

    with pytest.raises(error):
        tap()
    assert guard.counts() == {}


def test_a_result_passes_and_the_function_keeps_its_name() -> None:
    @guarded("tap")
    def tap(value: int) -> int:
        return value + 1

    assert tap(1) == 2
    assert tap.__name__ == "tap"


def test_a_forked_child_has_counted_nothing() -> None:
    guard.failed("tap", ValueError())
    guard.after_fork()
    assert guard.counts() == {}
