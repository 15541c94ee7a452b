"""A marked test under way, and what becomes of it."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from opentelemetry import context

from timetracer_otel.pytest_plugin.marks import Mark, mark_of
from timetracer_otel.pytest_plugin.modes import Mode
from timetracer_otel.pytest_plugin.recording import RecordedTest
from timetracer_otel.pytest_plugin.replaying import ReplayedTest
from timetracer_otel.replay.text import render

if TYPE_CHECKING:
    import pytest
    from opentelemetry.context import Context

    from timetracer_otel.replay.report import Report


class Running(Protocol):
    @property
    def mode(self) -> Literal["record", "replay"]: ...

    @property
    def cassette(self) -> Path: ...

    @property
    def context(self) -> Context | None:
        """Of the span that the test runs under."""

    def begin(self) -> None:
        """Raises TimetracerError."""

    def report(self) -> Report | None:
        """The verdict so far."""

    def beside(self, mark: Mark) -> AbstractContextManager[None]:
        """For the set-up or teardown of a fixture that other tests share."""

    def strays(self) -> list[str]: ...

    def end(self, has_passed: bool) -> None:
        """Everything is as it was before. Raises TimetracerError, OSError."""


def running(item: pytest.Item, mode: Mode) -> Running:
    """Raises UsageError for a marker that says what there is not."""
    mark = mark_of(item)
    is_there = os.path.exists(mark.cassette)
    is_recorded = not mark.is_named and (mode == "record" or (mode == "missing" and not is_there))
    return RecordedTest(mark) if is_recorded else ReplayedTest(mark)


@contextmanager
def by_itself(mark: Mark, mode: Mode) -> Iterator[None]:
    """The teardown of a fixture after the last marked test. Raises TimetracerError, OSError."""
    if mode != "record" and not os.path.exists(mark.cassette):
        yield
        return
    test = RecordedTest(mark) if mode == "record" else ReplayedTest(mark)
    try:
        test.begin()
        yield
    finally:
        test.end(has_passed=True)


def misses(test: Running) -> str:
    """The report of what was missed so far; empty if nothing was."""
    report = test.report()
    return render(replace(report, unused=())) if report is not None and report.misses else ""


def verdict(test: Running) -> str:
    """The report, unless the test did what is recorded."""
    report = test.report()
    return render(report) if report is not None and report.verdict != "same" else ""


def in_context(function: Callable[..., Any], test: Running) -> Callable[..., Any]:
    """A coroutine function that runs under the test's span: an event loop that is older than the test has another
    context."""
    if not inspect.iscoroutinefunction(function):
        return function

    @functools.wraps(function)
    async def under_the_span(*args: Any, **kwargs: Any) -> Any:
        token = context.attach(test.context or context.get_current())
        try:
            return await function(*args, **kwargs)
        finally:
            context.detach(token)

    return under_the_span
