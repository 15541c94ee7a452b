"""A marked test that is recorded: its cassette replaces the old one if the test has passed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from opentelemetry.context import Context

from timetracer_otel.capture import generated
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.config import Keep, Settings
from timetracer_otel.drivers import registry, taps
from timetracer_otel.drivers.taps import Tap, for_recording
from timetracer_otel.errors import ReplayError, UsageError
from timetracer_otel.exporters import active
from timetracer_otel.pytest_plugin.marks import Mark
from timetracer_otel.pytest_plugin.tracing import Root, traced
from timetracer_otel.redaction import load_rules
from timetracer_otel.replay.bootstrap import pick
from timetracer_otel.replay.report import Report
from timetracer_otel.replay.verdict import NOT_LOSSES
from timetracer_otel.store import Store, write_bundle

INCOMPLETE: Final = "record it again, and look for warnings of timetracer"


class RecordedTest:
    """Implements `running.Running`."""

    mode: Final = "record"

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._undo = ExitStack()
        self._root: Root | None = None
        self._beside: list[tuple[Mark, Root]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="timetracer-")

    @property
    def cassette(self) -> Path:
        return self._mark.cassette

    @property
    def context(self) -> Context | None:
        return self._root.context if self._root is not None else None

    def begin(self) -> None:
        """Raises UsageError where this process records already, or may not."""
        settings = Settings.from_environment()
        load_rules(settings.redact)
        if active.active() is not None:
            raise UsageError("--timetracer", "this process is recorded already", "run pytest without the exporter")
        wanted = replace(settings, mode="record", store=self._folder.name, keep=Keep(), write="background")
        recording = active.start(wanted)
        self._undo.callback(active.stop)
        generated.reach_all()
        self._undo.enter_context(traced(recording.processor))
        taps.follow(_in_a_test)
        taps.watch_libraries()
        self._root = Root(self._mark.test)
        self._undo.callback(self._root.leave)

    def report(self) -> Report | None:
        """None: there is nothing to compare with yet."""
        return None

    def strays(self) -> list[str]:
        return []

    @contextmanager
    def beside(self, mark: Mark) -> Iterator[None]:
        """What is asked meanwhile is of another cassette, which is kept or not as this one is."""
        root = Root(mark.test)
        try:
            yield
        finally:
            root.leave()
            self._beside.append((mark, root))

    def end(self, has_passed: bool) -> None:
        """Raises TimetracerError or OSError when there is no cassette, or it cannot be written."""
        try:
            self._undo.close()
            if has_passed and self._root is not None:
                self._save(self._mark, self._root.trace_id)
                for mark, root in self._beside:
                    self._save(mark, root.trace_id)
        finally:
            self._folder.cleanup()

    def _save(self, mark: Mark, trace_id: str) -> None:
        cassette, _ = Store(self._folder.name).open_cassette(trace_id)
        segment = pick(cassette, None)
        if mark.is_shared and not segment.exchanges:
            mark.cassette.unlink(missing_ok=True)
            return
        lost = ", ".join(f"{name}: {n}" for name, n in sorted(segment.dropped.items()) if name not in NOT_LOSSES)
        if lost or not segment.complete:
            raise ReplayError(mark.test, f"not all of it was recorded ({lost or 'its end'})", INCOMPLETE)
        mark.cassette.parent.mkdir(parents=True, exist_ok=True)
        write_bundle(in_readable_form(cassette), mark.cassette)


def _in_a_test(driver: str) -> Tap:
    """What a test asks a server for; what it asks of the application is the test itself."""
    if registry.DRIVERS[driver].asks:
        return for_recording(driver)
    return Tap(driver, "off", "a test is the entry")
