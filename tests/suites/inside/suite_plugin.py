"""Loaded by pytest in the process that is tested: `-p suite_plugin`. It knows nothing of the library.

Each test runs under a span of its own, as work of an application does. What came of each is a line of JSON in the file
that SUITE_OUTCOMES names; the last line says what the taps themselves failed at, by tap, test and error.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

WORST = ("error", "failed", "skipped", "passed")


class Outcomes:
    """What came of each test."""

    def __init__(self, path: Path) -> None:
        """`path`: the file of them. A test may leave another environment behind."""
        self._path, self._reports = path, dict[str, Counter[str]]()
        self._failures = Counter[str]()
        self._running = "between tests"
        guard = sys.modules.get("timetracer_otel.capture.guard")
        if guard is not None:
            setattr(guard, "failed", self._noting(guard.failed))  # noqa: B010  mypy knows no attribute of a module

    def _all_failures(self) -> dict[str, int]:
        """Those too of which the guard could say nothing, since the test was at the limit of recursion."""
        guard = sys.modules.get("timetracer_otel.capture.guard")
        silent = Counter(guard.failures if guard is not None else ())
        for failure, count in self._failures.items():
            silent[failure.partition(",")[0]] -= count
        return {**self._failures, **+silent}

    def _noting(self, failed: Callable[[str, BaseException], None]) -> Callable[[str, BaseException], None]:
        def noting(tap: str, error: BaseException) -> None:
            failed(tap, error)
            place = traceback.extract_tb(error.__traceback__)[-1:]
            at = "".join(f" in {frame.filename}:{frame.lineno}" for frame in place)
            self._failures[f"{tap}, {self._running}: {type(error).__name__}: {error}{at}"] += 1

        return noting

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        self._running = item.nodeid
        with trace.get_tracer("suites").start_as_current_span(item.nodeid):
            yield

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Subtests report under the name of their test."""
        found = "error" if report.failed and report.when != "call" else report.outcome
        if report.when == "call" or found != "passed":
            self._reports.setdefault(report.nodeid, Counter())[found] += 1

    def pytest_sessionfinish(self) -> None:
        lines = [{"test": test, "outcome": _shown(counts)} for test, counts in self._reports.items()]
        text = "".join(json.dumps(line) + "\n" for line in [*lines, {"failures": self._all_failures()}])
        self._path.write_text(text)


def _shown(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[found]} {found}" for found in WORST if counts[found])


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Outcomes(Path(os.environ["SUITE_OUTCOMES"])))
