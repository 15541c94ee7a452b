"""The contestants' OpenTelemetry set-ups: none, plain with a batch processor, and plain with us as its exporter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence

from harness import TRACE, Flush, Run
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


class NoExporter(SpanExporter):
    """Takes spans and does nothing: the least that OpenTelemetry can cost."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def provider(name: str) -> TracerProvider:
    """`otel`: a batch processor and no exporter. `recorded`: the same with cassettes written to a temporary store."""
    made = TracerProvider()
    trace.set_tracer_provider(made)
    made.add_span_processor(BatchSpanProcessor(NoExporter()))
    if name == "recorded":
        import timetracer_otel

        timetracer_otel.install(store=tempfile.mkdtemp(prefix="timetracer-bench-"))
    return made


def traced(made: TracerProvider, one: Callable[[], object]) -> tuple[Run, Flush]:
    """`one`, TRACE times under each local root span."""
    tracer = made.get_tracer("benchmark")

    def run(count: int) -> None:
        while count > 0:
            with tracer.start_as_current_span("request"):
                for _ in range(min(count, TRACE)):
                    one()
            count -= TRACE

    return run, made.force_flush


def plain(one: Callable[[], object]) -> Run:
    def run(count: int) -> None:
        for _ in range(count):
            one()

    return run
