"""A tracer provider for an application that has none yet. When the application sets its own, ours gives way to it.

OpenTelemetry takes a global provider only once: without this, the application's own exporters would get nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from timetracer_otel.capture.guard import guarded

_OF_A_TRACER: Final = ("sampler", "resource", "id_generator", "_span_limits")
"""What a tracer of the SDK has from its provider, beside the processors."""


def make(gave_way: Callable[[object], None]) -> TracerProvider:
    """The global provider from now on; `gave_way` is told which one has taken its place."""
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    original = trace.set_tracer_provider

    @functools.wraps(original)
    def set_tracer_provider(tracer_provider: trace.TracerProvider) -> None:
        is_ours = trace.get_tracer_provider() is provider and tracer_provider is not provider
        if not (is_ours and _give_way(provider, tracer_provider, gave_way)):
            original(tracer_provider)

    trace.set_tracer_provider = set_tracer_provider
    return provider


@guarded("provider")
def _give_way(ours: TracerProvider, own: Any, gave_way: Callable[[object], None]) -> bool:
    trace._TRACER_PROVIDER = own
    gave_way(own)
    if isinstance(own, TracerProvider):
        _move_tracers(ours, own)
    return True


def _move_tracers(ours: TracerProvider, own: TracerProvider) -> None:
    """Instrumentors have theirs already. Older SDKs forget their tracers: those go on to reach us alone."""
    for tracer in list(getattr(ours, "_tracers", {}).values()):
        tracer.span_processor = own._active_span_processor
        for name in _OF_A_TRACER:
            setattr(tracer, name, getattr(own, name))
