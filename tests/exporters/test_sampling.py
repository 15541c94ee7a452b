"""TIMETRACER_RECORD_UNSAMPLED: everything reaches us, and for everybody else nothing changes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.exporters.conftest import Recording
from timetracer_otel.capture import guard
from timetracer_otel.config import Keep, Settings
from timetracer_otel.exporters import active
from timetracer_otel.exporters.sampling import RecordUnsampled, record_unsampled

SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "on": lambda: ALWAYS_ON,
    "off": lambda: ALWAYS_OFF,
    "ratio": lambda: TraceIdRatioBased(0.3),
    "by the parent": lambda: ParentBasedTraceIdRatio(0.3),
    "on below a parent that is not sampled": lambda: ParentBased(ALWAYS_OFF, local_parent_not_sampled=ALWAYS_ON),
}


class Ids(RandomIdGenerator):
    """The same ones in every run."""

    def __init__(self) -> None:
        self._random = random.Random(1)

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1


@pytest.fixture
def recording_all(record: Callable[[Settings], Recording], tmp_path: Path) -> Recording:
    return record(Settings(store=str(tmp_path / "store"), record_unsampled=True))


def provider_of(sampler: Sampler, *exporters: SpanExporter) -> TracerProvider:
    provider = TracerProvider(sampler, id_generator=Ids(), shutdown_on_exit=False)
    for exporter, wrap in zip(exporters, (SimpleSpanProcessor, BatchSpanProcessor), strict=True):
        provider.add_span_processor(wrap(exporter))
    return provider


def exported(sampler: Sampler, is_recorded: bool) -> tuple[list[str], list[str], list[str]]:
    """Of 40 traces: what two other exporters get, and what another process would get as its parent."""
    simple, batch = InMemorySpanExporter(), InMemorySpanExporter()
    provider = provider_of(sampler, simple, batch)
    if is_recorded:
        active.attach(provider)
    tracer, sent = provider.get_tracer("app"), []
    for number in range(40):
        root = tracer.start_as_current_span(f"root {number}", attributes={"n": number})
        with root, tracer.start_as_current_span("child", kind=SpanKind.CLIENT):
            carrier: dict[str, str] = {}
            TraceContextTextMapPropagator().inject(carrier)
            sent.append(carrier["traceparent"])
    provider.shutdown()
    return _described(simple), _described(batch), sent


def _described(memory: InMemorySpanExporter) -> list[str]:
    spans = memory.get_finished_spans()
    return sorted(repr((span.name, span.context, span.parent, dict(span.attributes or {}))) for span in spans)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_r28_other_exporters_and_other_processes_notice_nothing(sampler: str, recording_all: Recording) -> None:
    with_us, without = exported(SAMPLERS[sampler](), True), exported(SAMPLERS[sampler](), False)
    assert with_us == without
    assert len(recording_all.cassettes()) == 40
    assert sum(len(cassette.segments[0].spans) for cassette in recording_all.cassettes()) == 80


def test_r28_without_the_setting_only_what_is_sampled_is_recorded(recording: Recording) -> None:
    sampled, _, _ = exported(SAMPLERS["ratio"](), True)
    assert 0 < len(recording.cassettes()) < 40
    assert len(recording.cassettes()) == len({line.split("trace_id=")[1][:34] for line in sampled})


def test_r28_of_a_thousand_requests_those_that_are_sampled_are_whole_and_the_others_are_not_touched(
    recording: Recording,
) -> None:
    provider = TracerProvider(ParentBasedTraceIdRatio(0.01), id_generator=Ids(), shutdown_on_exit=False)
    active.attach(provider)
    recorder, tracer, sampled = recording.active.recorder, provider.get_tracer("app"), 0
    recorder.entry_began()
    for number in range(1000):
        with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER) as span:
            captured = recorder.open("fake", {"n": number})
            assert (captured is not None) is span.is_recording()
            if captured is not None:
                sampled += 1
                recorder.close(captured, {"rows": "x" * 10_000}, 10_000)
    assert 0 < sampled < 50
    cassettes = recording.cassettes()
    assert len(cassettes) == sampled
    assert all(cassette.segments[0].exchanges[0].result == {"rows": "x" * 10_000} for cassette in cassettes)


def test_what_a_dropped_span_begins_with_is_recorded(recording_all: Recording) -> None:
    """The sampler gives no attributes with its DROP; a request is known by them."""
    provider = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    active.attach(provider)
    provider.get_tracer("app").start_span("GET /", attributes={"http.request.method": "GET"}).end()
    (segment,) = recording_all.cassette().segments
    assert segment.root is not None
    assert segment.root.attributes == {"http.request.method": "GET"}


def test_a_tracer_that_was_given_out_before_is_reached(recording_all: Recording) -> None:
    provider = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    if not hasattr(provider, "_tracers"):
        pytest.skip("the provider of this SDK forgets its tracers")
    tracer = provider.get_tracer("early")
    active.attach(provider)
    active.attach(provider)
    tracer.start_span("job").end()
    assert len(recording_all.cassettes()) == 1
    assert isinstance(provider.sampler, RecordUnsampled)
    assert provider.sampler.root is ALWAYS_OFF
    assert provider.sampler.get_description() == "RecordUnsampled{AlwaysOffSampler}"


def test_only_failures_of_what_is_not_sampled_can_be_kept(
    record: Callable[[Settings], Recording], tmp_path: Path
) -> None:
    keep = Keep(everything=False, errors=True)
    recording = record(Settings(store=str(tmp_path / "store"), record_unsampled=True, keep=keep))
    provider = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    active.attach(provider)
    tracer = provider.get_tracer("app")
    tracer.start_span("fine").end()
    bad = tracer.start_span("bad")
    bad.set_status(StatusCode.ERROR)
    bad.end()
    (segment,) = recording.cassette().segments
    assert segment.root is not None
    assert segment.root.name == "bad"


class Odd(Sampler):
    """An app's own, from before `trace_state` was a parameter."""

    def __init__(self, result: object) -> None:
        self.result = result

    def should_sample(  # type: ignore[override]  # as it stands in many an application
        self,
        parent_context: object,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: object = None,
        links: Sequence[trace.Link] | None = None,
    ) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def get_description(self) -> str:
        return "Odd"


def test_a_sampler_with_fewer_parameters_goes_on_working(recording_all: Recording) -> None:
    provider = TracerProvider(Odd(SamplingResult(Decision.DROP)), shutdown_on_exit=False)
    active.attach(provider)
    provider.get_tracer("app").start_span("job").end()
    assert len(recording_all.cassettes()) == 1


@pytest.mark.parametrize("result", [ValueError("the app's own"), None])
def test_r26_a_sampler_that_fails_fails_as_without_us(
    result: object, recording_all: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failure(provider: TracerProvider) -> str:
        with pytest.raises((ValueError, AttributeError)) as caught:
            provider.get_tracer("app").start_span("job")
        return repr(caught.value)

    monkeypatch.setattr(guard, "strict", False)
    provider = TracerProvider(Odd(result), shutdown_on_exit=False)
    without = failure(TracerProvider(Odd(result), shutdown_on_exit=False))
    active.attach(provider)
    assert failure(provider) == without


def test_a_provider_that_keeps_its_sampler_is_one_line_and_what_is_sampled_is_recorded(
    recording_all: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    class Fixed(TracerProvider):
        @property
        def sampler(self) -> Sampler:
            return ALWAYS_ON

        @sampler.setter
        def sampler(self, _: Sampler) -> None:
            if hasattr(self, "_active_span_processor") and hasattr(self, "_span_limits"):
                raise AttributeError("read-only")

    provider = Fixed(shutdown_on_exit=False)
    active.attach(provider)
    (line,) = caplog.messages
    assert "Fixed keeps its sampler: only sampled spans are recorded" in line
    provider.get_tracer("app").start_span("job").end()
    assert len(recording_all.cassettes()) == 1


def test_what_has_no_sampler_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    record_unsampled(object())
    assert "builtins.object keeps its sampler" in caplog.text


def test_r28_exchanges_of_a_span_that_is_not_sampled_are_recorded_where_that_is_asked_for(
    recording_all: Recording,
) -> None:
    provider = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    active.attach(provider)
    with provider.get_tracer("app").start_as_current_span("job") as span:
        assert span.is_recording()
        assert not span.get_span_context().trace_flags.sampled
        captured = recording_all.active.recorder.open("fake", {"n": 1})
        assert captured is not None
        recording_all.active.recorder.close(captured, {"rows": 1}, 10)
    (exchange,) = recording_all.cassette().segments[0].exchanges
    assert exchange.result == {"rows": 1}


def test_an_app_still_reaches_its_own_sampler(record: Callable[[Settings], Recording], tmp_path: Path) -> None:
    class Adjustable(Sampler):
        rate = 1.0

        def set_rate(self, rate: float) -> None:
            self.rate = rate

        def should_sample(self, *arguments: Any, **named: Any) -> SamplingResult:
            return SamplingResult(Decision.DROP)

        def get_description(self) -> str:
            return "adjustable"

    own = Adjustable()
    provider: Any = TracerProvider(sampler=own, shutdown_on_exit=False)
    record(Settings(store=str(tmp_path), record_unsampled=True))
    assert active.attach(provider)
    provider.sampler.set_rate(0.5)
    assert (own.rate, provider.sampler.rate) == (0.5, 0.5)
