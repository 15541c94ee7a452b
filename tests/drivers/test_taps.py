"""Taps follow instrumentors and imports, once, and go out again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # it has no types

from timetracer_otel.capture import guard
from timetracer_otel.drivers import registry, taps
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.drivers.taps import Tap


class Recording:
    """Counts."""

    def __init__(self) -> None:
        self.ins = self.outs = 0
        self.error: Exception | None = None

    def install(self) -> None:
        self.ins += 1
        if self.error is not None:
            raise self.error

    def uninstall(self) -> None:
        self.outs += 1


class NobodyInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # it has no types
    def instrumentation_dependencies(self) -> tuple[str, ...]:
        return ()

    def _instrument(self, **_: Any) -> None: ...

    def _uninstrument(self, **_: Any) -> None: ...


class VendorsInstrumentor(NobodyInstrumentor):
    """A subclass is the instrumentor still."""


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """That of a driver which is the only one."""
    made = Recording()
    driver = registry.Driver("", ("NobodyInstrumentor",), "", traced_by=("timetracer_tests_tracing",))
    monkeypatch.setattr(registry, "DRIVERS", {"nobody": driver})
    monkeypatch.setattr(registry, "recording", lambda _: made)
    monkeypatch.setattr(taps, "_are_imports_watched", False)
    monkeypatch.setattr(guard, "strict", True)
    taps.leave()
    yield made
    taps.leave()
    guard.failures.clear()
    for instrumentor in (NobodyInstrumentor, VendorsInstrumentor):
        instrumentor._instance = None


@pytest.mark.parametrize("instrumentor", [NobodyInstrumentor, VendorsInstrumentor])
def test_a_tap_goes_in_with_its_instrumentor_once(instrumentor: type[NobodyInstrumentor], recording: Recording) -> None:
    taps.follow()
    assert taps.taps() == []
    for _ in range(2):
        instrumentor().instrument()
        instrumentor().uninstrument()
    assert taps.taps() == [Tap("nobody", "in")]
    assert recording.ins == 1


def test_an_instrumentor_that_is_in_already_brings_its_tap(recording: Recording) -> None:
    VendorsInstrumentor().instrument()
    taps.follow()
    taps.follow()
    assert recording.ins == 1


def test_a_library_that_traces_by_itself_brings_its_tap_with_its_import(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "timetracer_tests_tracing.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    taps.follow()
    assert recording.ins == 0
    module = __import__("timetracer_tests_tracing")
    assert isinstance(module, ModuleType)
    monkeypatch.delitem(sys.modules, "timetracer_tests_tracing")
    assert recording.ins == 1


def test_after_the_end_taps_are_out_and_none_goes_in(recording: Recording) -> None:
    taps.follow()
    NobodyInstrumentor().instrument()
    taps.leave()
    VendorsInstrumentor().instrument()
    assert (recording.ins, recording.outs, taps.taps()) == (1, 1, [])


def test_a_tap_that_does_not_fit_stays_off_with_one_warning(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    recording.error = MissingNames("nobody", "9.9", ("gone",), "nothing is recorded")
    taps.follow()
    for instrumentor in (NobodyInstrumentor, VendorsInstrumentor):
        instrumentor().instrument()
    (tap,) = taps.taps()
    assert (tap.state, "nobody 9.9 has no gone" in tap.reason) == ("off", True)
    assert len(caplog.messages) == 1
    taps.leave()
    assert recording.outs == 0


def test_r26_a_tap_that_fails_is_off_and_the_instrumentor_is_in(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)
    recording.error = RuntimeError("made to fail")
    taps.follow()
    NobodyInstrumentor().instrument()
    assert NobodyInstrumentor().is_instrumented_by_opentelemetry
    assert taps.taps() == [Tap("nobody", "off", "it failed while it went in")]


def test_whoever_follows_may_put_in_something_else(recording: Recording) -> None:
    taps.follow(lambda driver: Tap(driver, "off", "led elsewhere"))
    NobodyInstrumentor().instrument()
    assert taps.taps() == [Tap("nobody", "off", "led elsewhere")]
    assert recording.ins == 0
