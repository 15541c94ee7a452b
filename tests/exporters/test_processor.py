"""SegmentProcessor: whatever happens inside, the application's spans go on as if we were not there."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanKind

from tests.exporters.conftest import Recording
from tests.exporters.test_exporter import trace_of
from timetracer_otel.capture import guard, table
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.exporters import TimetracerSpanExporter
from timetracer_otel.exporters.encode import Encoder

METHODS = {
    "span.start": (Recorder, "span_started"),
    "span.end": (Recorder, "span_ended"),
    "flush": (Recorder, "flush"),
    "export": (Recorder, "spans_exported"),
    "part": (Encoder, "save"),
    "writer": (Recorder, "written"),
}


def app(recording: Recording) -> object:
    """What an application and its SDK do with us: the result must not depend on us."""
    exporter = TimetracerSpanExporter(store=recording.active.settings.store)
    outcome: list[object] = []
    for number in range(2):
        try:
            with recording.tracer.start_as_current_span("root"), recording.tracer.start_as_current_span("child"):
                raise ValueError("the app's own")
        except ValueError as error:
            outcome.append((number, str(error), type(error.__context__)))
    outcome.append(exporter.export(trace_of(2)) is SpanExportResult.SUCCESS)
    exporter.force_flush()
    exporter.shutdown()
    recording.provider.force_flush()
    recording.provider.shutdown()
    return outcome


@pytest.mark.parametrize("tap", METHODS)
def test_r26_a_failure_of_ours_is_counted_logged_once_and_not_noticed(
    tap: str, recording: Recording, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = app(recording)
    _break(tap, monkeypatch)
    monkeypatch.setattr(guard, "strict", False)
    assert app(recording) == expected
    assert guard.failures[tap] > 0
    lines = [record for record in caplog.records if f"timetracer: {tap} failed" in record.getMessage()]
    assert len(lines) == 1
    assert "made to fail" in lines[0].getMessage()
    assert lines[0].levelno == logging.WARNING


@pytest.mark.parametrize("tap", METHODS)
def test_r26_without_the_guard_the_same_failure_is_noticed(
    tap: str, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break(tap, monkeypatch)
    with pytest.raises(RuntimeError, match="made to fail"):
        app(recording)
    monkeypatch.undo()  # so that the recording can end


def _break(tap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("made to fail")

    owner, name = METHODS[tap]
    monkeypatch.setattr(owner, name, failing)


def test_a_handler_of_the_app_that_raises_does_not_raise_through_us(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the log's disk is full")

    handler = Broken()
    guard.log.addHandler(handler)
    monkeypatch.setattr(guard, "strict", False)
    try:
        guard.failed("tap", ValueError("x"))
    finally:
        guard.log.removeHandler(handler)
    assert guard.failures["tap"] == 1


def test_what_failed_inside_the_guard_travels_with_the_next_part(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)
    guard.failed("tap", ValueError("x"))
    recording.tracer.start_span("first").end()
    recording.tracer.start_span("second").end()
    first, second = recording.cassettes()
    assert first.segments[0].dropped == {"guard.tap": 1}
    assert second.segments[0].dropped == {}


def test_after_the_end_spans_and_exchanges_are_ignored(recording: Recording) -> None:
    from timetracer_otel.exporters import active

    active.stop()
    with recording.tracer.start_as_current_span("root"):
        assert table.tape() is None
    recording.provider.force_flush()
    assert recording.store.list_traces().traces == ()


@pytest.mark.parametrize("name", ["http.request.method", "http.method"])
def test_a_request_in_the_context_of_an_answered_one_is_a_segment_of_its_own(name: str, recording: Recording) -> None:
    """As uvicorn begins it after a large body: its connection goes on in the context that asked for the rest."""
    first = recording.tracer.start_span("first", kind=SpanKind.SERVER)
    first.end()
    with trace.use_span(first):
        with recording.tracer.start_as_current_span("second", attributes={name: "GET"}):
            recording.tracer.start_span("child of second").end()
        recording.tracer.start_span("late child of first").end()
    segments = recording.cassette().segments
    assert [[span.name for span in segment.spans] for segment in segments] == [
        ["first", "late child of first"],
        ["second", "child of second"],
    ]


def test_a_request_inside_one_that_goes_on_belongs_to_it(recording: Recording) -> None:
    with (
        recording.tracer.start_as_current_span("outer", kind=SpanKind.SERVER),
        recording.tracer.start_as_current_span("mounted", attributes={"http.method": "GET"}),
    ):
        pass
    (segment,) = recording.cassette().segments
    assert [span.name for span in segment.spans] == ["outer", "mounted"]


def test_a_finalizer_that_ends_a_span_while_we_hold_the_lock_does_not_block(recording: Recording) -> None:
    inner = recording.tracer.start_span("inner")
    lineage = recording.active.recorder._lineage
    original: Callable[..., object] = lineage.remember  # the innermost thing done under the lock

    def collecting(*arguments: object) -> None:
        lineage.remember = original  # type: ignore[method-assign,assignment]
        inner.end()  # as the garbage collector may do at any allocation
        original(*arguments)

    lineage.remember = collecting  # type: ignore[method-assign,assignment]
    recording.tracer.start_span("outer").end()
    assert len(recording.cassettes()) == 2
