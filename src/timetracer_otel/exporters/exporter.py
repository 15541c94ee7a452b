"""The exporter that OTEL_TRACES_EXPORTER=timetracer names. It records through its own span processor."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.exporters import active

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


_MARK: Final = "_timetracer_wrapped"
_ONLY_EXPORT: Final = frozenset[type]({BatchSpanProcessor, SimpleSpanProcessor})
"""Processors that do nothing but hand spans to their exporter. A subclass may do more."""


class TimetracerSpanExporter(SpanExporter):
    """Begins recording: taps go in from now on, and whatever provider it is given to has our own processor instead.

    `export` takes the spans that this way has not seen: of a processor that hides it, or read from elsewhere. In
    replay, with TIMETRACER_MODE=off and after a bad setting it keeps quiet. `store` goes before TIMETRACER_STORE. Any
    other argument, which a configuration file may give it, is one line in the log, and recording is off.
    """

    def __init__(self, store: str | os.PathLike[str] | None = None, **unknown: object) -> None:
        if unknown:
            names = ", ".join(sorted(unknown))
            guard.warn(f"recording is off: the exporter has no argument {names}; correct or remove it; there is store")
            return
        self._begin(store)

    @guarded("exporter")
    def _begin(self, store: str | os.PathLike[str] | None) -> None:
        settings = active.settings_of_app()
        if settings is None or settings.mode != "record":
            return
        active.start(settings if store is None else replace(settings, store=os.fspath(store)))
        active.into_store()
        active.attach(trace.get_tracer_provider())
        follow_instrumentors()

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
        if now is not None and (new := now.processor.unseen(spans)):
            _say_what_is_missing()
            now.recorder.spans_exported(new)


def follow_instrumentors() -> None:
    """Taps go in with the instrumentors that are in, and with those that come."""
    from timetracer_otel.drivers import taps

    taps.follow()


@functools.cache
def _say_what_is_missing() -> None:
    """Once: a span that was not seen when it began owns no exchange."""
    from timetracer_otel.drivers import taps

    if any(tap.state == "in" for tap in taps.taps()):
        guard.warn(
            "spans come by export only, without the requests that were made under them; "
            "to record those, call timetracer_otel.install(provider=...) with the provider of these spans"
        )


# ---- providers -------------------------------------------------------------------------------------------------------
# One that is built by hand, from a configuration file or beside the global one is not known yet when the exporter is.


def _watch_providers() -> None:
    original = TracerProvider.add_span_processor
    if not hasattr(original, _MARK):
        setattr(TracerProvider, "add_span_processor", _attaching(original))  # noqa: B010  mypy forbids to assign a method


def _attaching(original: Callable[[TracerProvider, SpanProcessor], None]) -> Callable[..., None]:
    @functools.wraps(original)
    def add_span_processor(self: TracerProvider, span_processor: SpanProcessor) -> None:
        # Ours goes first: it has seen a span by the time that another one exports it.
        if not (_attach_to(self, span_processor) and type(span_processor) in _ONLY_EXPORT):
            original(self, span_processor)

    setattr(add_span_processor, _MARK, True)
    return add_span_processor


@guarded("exporter")
def _attach_to(provider: TracerProvider, span_processor: SpanProcessor) -> bool:
    """True if our own processor gets every span that this one would export."""
    is_ours = isinstance(getattr(span_processor, "span_exporter", None), TimetracerSpanExporter)
    return is_ours and active.attach(provider)


# By its import: `provider.add_span_processor(SimpleSpanProcessor(TimetracerSpanExporter()))` looks the method up first.
_watch_providers()
