"""TimetracerSpanExporter: how it begins, what it takes, how it ends."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, set_span_in_context

from tests.exporters.conftest import Recording
from timetracer_otel.capture import generated, table
from timetracer_otel.config import Keep, Settings
from timetracer_otel.exporters import TimetracerSpanExporter, active


@pytest.fixture
def exporter_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], TimetracerSpanExporter]]:
    monkeypatch.setenv("TIMETRACER_STORE", str(tmp_path / "store"))
    yield TimetracerSpanExporter
    active.stop()


def trace_of(size: int, kind: SpanKind = SpanKind.INTERNAL, name: str = "root") -> list[ReadableSpan]:
    """Ended spans of one trace, children first: a root with `size - 1` children, from a provider without us."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("elsewhere")
    with tracer.start_as_current_span(name, kind=kind):
        for number in range(size - 1):
            tracer.start_span(f"child {number}").end()
    return list(memory.get_finished_spans())


def test_two_exporters_share_one_recorder(exporter_made: Callable[[], TimetracerSpanExporter]) -> None:
    exporter_made()
    first = active.active()
    exporter_made()
    assert active.active() is first is not None


def test_a_second_store_is_refused_in_one_line(
    exporter_made: Callable[[], TimetracerSpanExporter], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exporter_made()
    TimetracerSpanExporter(store=str(tmp_path / "other"))
    (line,) = caplog.messages
    assert str(tmp_path / "other") in line


def test_the_store_is_where_the_app_was_when_recording_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        TimetracerSpanExporter(store="relative")
        now = active.active()
        assert now is not None
        assert now.settings.store == str(tmp_path / "relative")
    finally:
        active.stop()


def test_a_bad_value_is_one_line_and_recording_is_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TIMETRACER_PAYLOAD_MAX", f"many {os.getpid()}")
    exporter = TimetracerSpanExporter()
    TimetracerSpanExporter()
    assert active.active() is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "TIMETRACER_PAYLOAD_MAX" in record.getMessage()
    assert exporter.export(trace_of(2)) is SpanExportResult.SUCCESS
    assert exporter.force_flush()
    exporter.shutdown()


def test_an_argument_that_there_is_not_is_one_line_and_recording_is_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = TimetracerSpanExporter(store=tmp_path / "store", stroe="elsewhere")
    assert active.active() is None
    (line,) = caplog.messages
    assert "recording is off: the exporter has no argument stroe" in line
    assert exporter.export(trace_of(2)) is SpanExportResult.SUCCESS


def test_r46_rules_of_a_file_count_from_the_first_part_on(
    record: Callable[[Settings], Recording], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    found: list[list[str]] = []
    for text in ("", 'names = ["customer_no"]'):
        rules.write_text(text)
        recording = record(Settings(store=str(tmp_path / f"store {len(found)}"), redact=str(rules)))
        recording.tracer.start_span("job", attributes={"customer_no": "4711", "password": "hunter2"}).end()
        (segment,) = recording.cassette().segments
        assert segment.root is not None
        found.append([str(segment.root.attributes[name])[:10] for name in ("customer_no", "password")])
        active.stop()
    assert found == [["4711", "[redacted:"], ["[redacted:", "[redacted:"]]


@pytest.mark.parametrize("mode", ["off", "replay"])
def test_in_other_modes_it_keeps_quiet(mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIMETRACER_MODE", mode)
    exporter = TimetracerSpanExporter(store=str(tmp_path / "store"))
    assert active.active() is None
    assert table.tape() is None
    assert generated.log is None
    assert exporter.export(trace_of(2)) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert not (tmp_path / "store").exists()


class Hiding(SpanProcessor):
    """Nobody sees which exporter is in it."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._hidden = exporter

    def on_end(self, span: ReadableSpan) -> None:
        self._hidden.export((span,))


@pytest.mark.parametrize("wrapped", [SimpleSpanProcessor, BatchSpanProcessor])
def test_whatever_provider_the_exporter_is_given_to_has_our_processor(
    recording: Recording, wrapped: type[SimpleSpanProcessor] | type[BatchSpanProcessor]
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(wrapped(TimetracerSpanExporter(store=recording.active.settings.store)))
    assert provider in recording.active.providers
    with provider.get_tracer("second").start_as_current_span("root"):
        captured = recording.active.recorder.open("fake", {"n": 1})
        assert captured is not None
        recording.active.recorder.close(captured, {"rows": 1}, 10)
    provider.shutdown()
    (segment,) = recording.cassette().segments
    assert len(segment.spans) == len(segment.exchanges) == 1


class Adding(BatchSpanProcessor):
    """Does more than to export."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        span.set_attribute("added", True)


def test_a_processor_that_would_only_export_to_us_costs_nothing_and_one_that_does_more_stays(
    recording: Recording,
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = TimetracerSpanExporter(store=recording.active.settings.store)
    others = (SimpleSpanProcessor(InMemorySpanExporter()), Adding(exporter))
    for each in (BatchSpanProcessor(exporter), SimpleSpanProcessor(exporter), *others):
        provider.add_span_processor(each)
    assert provider._active_span_processor._span_processors == (recording.active.processor, *others)
    provider.get_tracer("second").start_span("root").end()
    provider.shutdown()
    ((span,),) = [segment.spans for segment in recording.cassette().segments]
    assert span.attributes == {"added": True}


def test_a_span_that_is_exported_before_its_end_comes_to_our_processor_is_taken_once(recording: Recording) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Hiding(TimetracerSpanExporter(store=recording.active.settings.store)))
    tracer = provider.get_tracer("second")
    early = tracer.start_span("early")
    active.attach(provider)
    with tracer.start_as_current_span("root"), tracer.start_as_current_span("child"):
        pass
    early.end()
    cassettes = recording.cassettes()
    assert [[span.name for span in cassette.segments[0].spans] for cassette in cassettes] == [
        ["early"],
        ["root", "child"],
    ]
    assert [cassette.segments[0].parts for cassette in cassettes] == [(0,), (0,)]


def test_a_provider_without_our_processor_is_recorded_by_export(recording: Recording) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Hiding(TimetracerSpanExporter(store=recording.active.settings.store)))
    assert provider not in recording.active.providers
    tracer = provider.get_tracer("second")
    with tracer.start_as_current_span("root"), tracer.start_as_current_span("child"):
        pass
    provider.shutdown()
    (segment,) = recording.cassette().segments
    assert segment.complete
    assert {span.name for span in segment.spans} == {"root", "child"}


def test_what_the_processor_has_seen_is_not_taken_twice(recording: Recording) -> None:
    recording.provider.add_span_processor(
        SimpleSpanProcessor(TimetracerSpanExporter(store=recording.active.settings.store))
    )
    with recording.tracer.start_as_current_span("root"):
        pass
    (segment,) = recording.cassette().segments
    assert segment.parts == (0,)
    assert len(segment.spans) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_r29_a_trace_over_three_batches_in_any_order_is_one_cassette(
    recording: Recording, order: tuple[int, ...]
) -> None:
    spans = trace_of(9)
    batches = [spans[0:3], spans[3:6], spans[6:9]]  # the root is in the last
    exporter = TimetracerSpanExporter(store=recording.active.settings.store)
    for index in order:
        exporter.export(batches[index])
    (segment,) = recording.cassette().segments
    assert segment.complete
    assert segment.root is not None
    assert len(segment.spans) == 9


def test_r29_a_trace_of_20_000_spans_is_one_cassette(recording: Recording) -> None:
    with recording.tracer.start_as_current_span("root"):
        for number in range(19_999):
            recording.tracer.start_span(str(number)).end()
    (segment,) = recording.cassette().segments
    assert segment.complete
    assert len({span.name for span in segment.spans}) == 20_000
    assert len(segment.parts) == 10  # memory holds 2,000 spans of it at most


def test_r29_a_trace_of_20_000_spans_arrives_root_last_by_export(recording: Recording) -> None:
    spans = trace_of(20_000)
    exporter = TimetracerSpanExporter(store=recording.active.settings.store)
    for start in range(0, len(spans), 512):
        exporter.export(spans[start : start + 512])
    (segment,) = recording.cassette().segments
    assert len(segment.spans) == 20_000


def test_r29_a_root_that_never_comes_leaves_a_partial_cassette_at_shutdown(recording: Recording) -> None:
    *children, root = trace_of(4)
    exporter = TimetracerSpanExporter(store=recording.active.settings.store)
    exporter.export(children)
    assert recording.cassettes() == []
    exporter.shutdown()
    (segment,) = recording.cassette().segments
    assert not segment.complete
    assert segment.root is None
    assert segment.entry is None
    assert root.context is not None
    assert segment.id == f"{root.context.span_id:016x}"
    assert len(segment.spans) == 3


def test_r29_late_spans_become_further_parts_of_the_same_segment(recording: Recording) -> None:
    second = 1_000_000_000
    root = recording.tracer.start_span("root", start_time=second)
    root.end(end_time=2 * second)
    for late in (10, 20):
        parent = set_span_in_context(root)
        recording.tracer.start_span("late", context=parent, start_time=late * second).end(end_time=(late + 1) * second)
    (segment,) = recording.cassette().segments
    assert segment.parts == (0, 1, 2)
    assert segment.complete
    assert [span.name for span in segment.spans] == ["root", "late", "late"]


def test_r29_web_and_worker_share_one_trace_in_two_segments(recording: Recording) -> None:
    tracer = recording.tracer
    with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER) as web:
        context = web.get_span_context()
    remote = SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=TraceFlags(1))
    upstream = set_span_in_context(NonRecordingSpan(remote), Context())
    tracer.start_span("run/charge", context=upstream, kind=SpanKind.CONSUMER).end()
    cassette = recording.cassette()
    assert [segment.root.name for segment in cassette.segments if segment.root] == ["GET /", "run/charge"]
    assert all(segment.complete for segment in cassette.segments)


def test_r48_a_second_exporter_gets_the_same_spans_with_and_without_us(recording: Recording) -> None:
    def spans_of(provider: TracerProvider) -> list[str]:
        memory = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(memory))
        tracer = provider.get_tracer("app", "1")
        with tracer.start_as_current_span("root", kind=SpanKind.SERVER, attributes={"token": "s3cret", "n": 1}) as root:
            root.add_event("happened", {"password": "hunter2"})
            tape = table.tape()
            if tape is not None and provider is recording.provider:
                captured = tape.open("fake", {"password": "hunter2"})
                assert captured is not None
                tape.close(captured, {"rows": 1}, 10)
        return [_comparable(span) for span in memory.get_finished_spans()]

    with_us, without = spans_of(recording.provider), spans_of(TracerProvider(shutdown_on_exit=False))
    assert with_us == without
    assert len(recording.cassette().segments[0].exchanges) == 1  # the control: we did record


def _comparable(span: ReadableSpan) -> str:
    events = [(event.name, dict(event.attributes or {})) for event in span.events]
    return repr((span.name, span.kind, span.status.status_code, dict(span.attributes or {}), events, len(span.links)))


def test_r26_shutdown_and_flush_may_come_twice(recording: Recording) -> None:
    exporter = TimetracerSpanExporter(store=recording.active.settings.store)
    recording.tracer.start_span("root").end()
    for _ in range(2):
        assert exporter.force_flush()
        exporter.shutdown()
        recording.provider.shutdown()
    assert len(recording.cassette().segments) == 1


def test_a_flush_in_the_middle_writes_what_is_there_and_the_rest_later(recording: Recording) -> None:
    with recording.tracer.start_as_current_span("root"):
        recording.tracer.start_span("early").end()
        (early,) = recording.cassette().segments
        assert not early.complete
        assert early.root is None
    (whole,) = recording.cassette().segments
    assert whole.complete
    assert [span.name for span in whole.spans] == ["root", "early"]


def test_a_flush_in_the_middle_loses_nothing_that_keep_has_not_decided(
    record: Callable[[Settings], Recording], tmp_path: Path
) -> None:
    recording = record(Settings(store=str(tmp_path / "store"), keep=Keep(everything=False, errors=True)))
    root = recording.tracer.start_span("root")
    recording.tracer.start_span("early", context=set_span_in_context(root)).end()
    assert recording.cassettes() == []
    root.record_exception(ValueError("boom"))
    root.set_status(StatusCode.ERROR)
    root.end()
    with recording.tracer.start_as_current_span("fine"):
        pass
    (segment,) = recording.cassette().segments
    assert [span.name for span in segment.spans] == ["root", "early"]
    assert segment.entry is not None
    assert segment.entry.outcome == "ValueError: boom"
