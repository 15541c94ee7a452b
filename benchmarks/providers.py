"""The contestants' OpenTelemetry set-ups: none, plain with a batch processor, and plain with us as its exporter."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from harness import TRACE, Flush, Run, new_folder
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

CONTESTANTS = ("plain", "otel", "recorded", "errors")
"""Contestants of a row that is recorded, `plain` without OpenTelemetry."""


class NoExporter(SpanExporter):
    """Takes spans and does nothing: the least that OpenTelemetry can cost."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def provider(name: str) -> TracerProvider:
    """A batch processor and no exporter. `recorded`: with cassettes written to a temporary store; `errors`: with those
    of failures alone, of which there are none; `off`: with us there and TIMETRACER_MODE=off. `... unsampled`: the
    sampler drops every trace."""
    made = TracerProvider(sampler=TraceIdRatioBased(0.0) if name.endswith(" unsampled") else None)
    trace.set_tracer_provider(made)
    made.add_span_processor(BatchSpanProcessor(NoExporter()))
    if not name.startswith("otel"):
        os.environ["TIMETRACER_MODE"] = "off" if name == "off" else "record"
        os.environ["TIMETRACER_KEEP"] = "errors" if name == "errors" else "all"
        import timetracer_otel

        folder = new_folder()  # before the next line: gone after what we write at exit
        timetracer_otel.install(store=folder)
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
