"""Spans on their way from the SDK to the recorder: at once, in the thread that starts or ends them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import SpanKind

from timetracer_otel.capture.guard import guarded

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from timetracer_otel.capture.recorder import Recorder

_SEEN: Final = "_timetracer_seen"
"""Set on a span object (no attribute of the span): the exporter gets the same object, and takes what has none."""
_METHODS: Final = ("http.request.method", "http.method")


class SegmentProcessor(SpanProcessor):
    """Has no queue: a BatchSpanProcessor loses its own at SIGTERM, `os._exit` and in prefork children."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder: Recorder | None = recorder

    def detach(self) -> None:
        """Spans that still come are ignored: a provider gives no processor back."""
        self._recorder = None

    @guarded("span.start")
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        context, parent, recorder = span.get_span_context(), span.parent, self._recorder
        if context is None or recorder is None or (parent is not None and recorder.child_started(context, parent)):
            return
        recorder.span_started(context.trace_id, context.span_id, parent, kind_of(span), span.start_time or 0, span.name)

    @guarded("span.end")
    def on_end(self, span: ReadableSpan) -> None:
        setattr(span, _SEEN, True)
        if self._recorder is not None:
            self._recorder.span_ended(span)

    def shutdown(self) -> None:
        self._flush(30.0, is_last=True)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._flush(timeout_millis / 1000) is True

    def unseen(self, spans: Iterable[ReadableSpan]) -> list[ReadableSpan]:
        """Those that neither came here nor will come: of another provider, or read from elsewhere.

        A processor that the provider got before this one exports a span before its end comes here.
        """
        new, recorder = [span for span in spans if not hasattr(span, _SEEN)], self._recorder
        if recorder is None or not recorder.has_open:
            return new
        found = [(span, span.get_span_context()) for span in new]
        return [span for span, context in found if context is None or not recorder.is_open(context.span_id)]

    @guarded("flush")
    def _flush(self, timeout_s: float, is_last: bool = False) -> bool:
        return self._recorder is None or self._recorder.flush(timeout_s, is_last)


def kind_of(span: ReadableSpan) -> SpanKind:
    """The span's kind; SERVER for a request that its instrumentor calls INTERNAL, since it began inside another span.

    Source: `_start_internal_or_server_span` of opentelemetry-instrumentation.
    """
    attributes = span.attributes
    if span.kind is SpanKind.INTERNAL and attributes and any(name in attributes for name in _METHODS):
        return SpanKind.SERVER
    return span.kind
