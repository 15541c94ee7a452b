"""A marked test that is replayed: its cassette answers for the servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from opentelemetry.context import Context

from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.errors import TimetracerError, UsageError
from timetracer_otel.exporters import active
from timetracer_otel.pytest_plugin.marks import Mark
from timetracer_otel.pytest_plugin.tracing import Root, traced
from timetracer_otel.replay import inside
from timetracer_otel.replay.bootstrap import pick
from timetracer_otel.replay.inside import Block
from timetracer_otel.replay.report import Report
from timetracer_otel.replay.text import render
from timetracer_otel.store import Store

RECORD: Final = "record it with --timetracer=missing"
NAMED: Final = "correct the path, which begins at the folder of the test"


class Deviation(TimetracerError):
    """The set-up or teardown of a fixture was not as recorded; the text is the report."""


class ReplayedTest:
    """Implements `running.Running`."""

    mode: Final = "replay"

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._undo = ExitStack()
        self._root: Root | None = None
        self._block: Block | None = None

    @property
    def cassette(self) -> Path:
        return self._mark.cassette

    @property
    def context(self) -> Context | None:
        return self._root.context if self._root is not None else None

    def begin(self) -> None:
        """Raises TimetracerError when there is nothing to replay from, or this process records."""
        if active.active() is not None:
            raise UsageError("--timetracer", "this process is recorded", "run pytest without the exporter")
        cassette, segment = opened(self._mark)
        self._undo.enter_context(traced(inside.spans()))
        self._block = self._undo.enter_context(inside.replaying(cassette, segment))
        self._root = Root(self._mark.test)
        self._undo.callback(self._root.leave)
        self._block.bind(self._root.span.get_span_context())

    def report(self) -> Report | None:
        """None before it began."""
        return self._block.report() if self._block is not None else None

    def strays(self) -> list[str]:
        """What it asked for after its end."""
        found = self._block.strays() if self._block is not None else []
        return [str(event["request"]["text"]) for event in found]

    @contextmanager
    def beside(self, mark: Mark) -> Iterator[None]:
        """What is asked meanwhile is answered from another cassette, where there is one. Raises Deviation."""
        if not mark.cassette.exists():
            yield
            return
        fixture = ReplayedTest(mark)
        try:
            fixture.begin()
            yield
        finally:
            fixture.release()
        if (report := fixture.report()) is not None and report.verdict != "same":
            raise Deviation(render(report))

    def release(self) -> None:
        """The end of a fixture: what it has started works for the tests that come."""
        self.end(has_passed=True)
        if self._block is not None and self._root is not None:
            self._block.release(self._root.span.get_span_context())

    def end(self, has_passed: bool) -> None:
        self._undo.close()


def opened(mark: Mark) -> tuple[Cassette, Segment]:
    """What a test is replayed from. Raises UsageError, CassetteError, ReplayError where that cannot be said."""
    if not mark.cassette.exists():
        problem = f"there is no cassette {os.path.relpath(mark.cassette)}"
        raise UsageError(mark.test, problem, NAMED if mark.is_named else RECORD)
    trace, _, span = (mark.segment or "").rpartition("/")
    wanted = f"{mark.cassette}/{span}" if span else str(mark.cassette)
    cassette, segment_id = Store(os.path.dirname(mark.cassette)).open_cassette(wanted)
    if not cassette.trace_id.startswith(trace.lower()):
        problem = f"segment={mark.segment!r} is of another trace than {cassette.trace_id[:8]}"
        raise UsageError(mark.test, problem, "name one as `timetracer-otel show` prints it")
    return cassette, pick(cassette, segment_id)
