"""What a signal handler of the application raises while our code runs is the application's."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator

import pytest

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signals")


class SoftTimeLimit(Exception):
    """As Celery raises it from a handler."""


def on_signal(*_: object) -> None:
    raise SoftTimeLimit


class Handler:
    def __call__(self, *_: object) -> None:
        raise SoftTimeLimit

    def method(self, *_: object) -> None:
        raise SoftTimeLimit


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    guard.failures.clear()
    yield
    signal.signal(signal.SIGUSR1, before)
    guard.failures.clear()


@guarded("tap")
def interrupted() -> None:
    signal.raise_signal(signal.SIGUSR1)
    for _ in range(100):  # the interpreter runs handlers between two instructions
        pass


@pytest.mark.parametrize("handler", [on_signal, Handler(), Handler().method, functools.partial(on_signal, 1)])
def test_r26_a_time_limit_reaches_the_application_through_our_code(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGUSR1, handler)
    with pytest.raises(SoftTimeLimit):
        interrupted()
    assert guard.failures == {}


def test_an_exception_of_ours_ends_in_the_guard_though_there_are_handlers() -> None:
    signal.signal(signal.SIGUSR1, on_signal)

    @guarded("tap")
    def broken() -> None:
        raise SoftTimeLimit

    assert broken() is None
    assert guard.failures == {"tap": 1}


def test_r26_at_the_recursion_limit_of_the_application_a_failure_is_counted_and_nothing_is_raised() -> None:
    @guarded("deep")
    def deep() -> None:
        raise RecursionError

    def fall() -> None:
        deep()
        fall()

    with pytest.raises(RecursionError):
        fall()
    assert guard.failures["deep"] > 0
