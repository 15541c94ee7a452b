"""The exporter that OTEL_TRACES_EXPORTER=timetracer names. It records through its own span processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from timetracer_otel.capture.guard import guarded
from timetracer_otel.exporters import active
from timetracer_otel.exporters.processor import unseen

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class TimetracerSpanExporter(SpanExporter):
    """Begins recording and attaches itself to the global provider, if that takes processors already.

    `export` takes the spans that this way has not seen: of another provider, or read from elsewhere. In replay, with
    TIMETRACER_MODE=off and after a bad setting it keeps quiet. `store` goes before TIMETRACER_STORE.
    """

    def __init__(self, store: str | None = None) -> None:
        self._begin(store)

    @guarded("exporter")
    def _begin(self, store: str | None) -> None:
        settings = active.settings_of_app()
        if settings is not None and settings.mode == "record":
            active.start(settings if store is None else replace(settings, store=store))
            active.attach(trace.get_tracer_provider())

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """SUCCESS always: what cannot be recorded is counted, and is no reason to send it again."""
        self._export(spans)
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        now = active.active()
        return True if now is None else now.processor.force_flush(timeout_millis)

    def shutdown(self) -> None:
        now = active.active()
        if now is not None:
            now.processor.shutdown()

    @guarded("export")
    def _export(self, spans: Sequence[ReadableSpan]) -> None:
        now = active.active()
        if now is not None and (new := unseen(spans)):
            now.recorder.spans_exported(new)
