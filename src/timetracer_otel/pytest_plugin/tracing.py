"""The span that a marked test runs under, and the spans of the application below it.

OpenTelemetry gives no processor back and takes a global provider once: so there is one switch for each provider, which
is off between tests, and our own provider is lent to a process that has none.
"""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from weakref import WeakSet

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from timetracer_otel.errors import UsageError
from timetracer_otel.startup import DISABLED, is_disabled

SCOPE: Final = "timetracer_otel.pytest_plugin"
_private: Final = random.SystemRandom()


class PrivateIds(IdGenerator):
    """A test that seeds `random` gets the same numbers with us and without."""

    def generate_span_id(self) -> int:
        return _private.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return _private.getrandbits(128) or 1


class Switch(SpanProcessor):
    """Hands spans on while it has somebody to hand them to."""

    target: SpanProcessor | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self.target is not None:
            self.target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        if self.target is not None:
            self.target.on_end(span)

    def shutdown(self) -> None:
        """The end of a provider is not the end of the test."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


_switch: Final = Switch()
_switched: Final[WeakSet[object]] = WeakSet()


@functools.cache
def _own() -> TracerProvider:
    provider = TracerProvider(sampler=ALWAYS_ON, id_generator=PrivateIds(), shutdown_on_exit=False)
    _attach(provider)
    return provider


def _attach(provider: object) -> None:
    add = getattr(provider, "add_span_processor", None)
    if add is not None and provider not in _switched:
        _switched.add(provider)
        add(_switch)


@contextmanager
def traced(processor: SpanProcessor) -> Iterator[None]:
    """The spans of this process go to `processor` as well. Raises UsageError where OpenTelemetry is switched off."""
    if is_disabled(os.environ):
        raise UsageError(DISABLED, "it switches OpenTelemetry off", "unset it, or run with --timetracer=off")
    with ExitStack() as undo:
        undo.callback(setattr, _switch, "target", _switch.target)
        _switch.target = processor
        undo.enter_context(_global_provider())
        undo.enter_context(_threads())
        yield


@contextmanager
def _global_provider() -> Iterator[None]:
    """That of the application, also one that it sets meanwhile; ours where it has none."""
    original = trace.set_tracer_provider
    is_lent = isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    if is_lent:
        # Not by `set_tracer_provider`, which takes only the first: the application's own comes in its place.
        trace._TRACER_PROVIDER = _own()
    _attach(trace.get_tracer_provider())
    setattr(trace, "set_tracer_provider", _attaching(original))  # noqa: B010  mypy forbids to assign a function
    try:
        yield
    finally:
        trace.set_tracer_provider = original
        if is_lent and trace._TRACER_PROVIDER is _own():
            trace._TRACER_PROVIDER = None


def _attaching(original: Callable[[trace.TracerProvider], None]) -> Callable[[trace.TracerProvider], None]:
    @functools.wraps(original)
    def set_tracer_provider(tracer_provider: trace.TracerProvider) -> None:
        original(tracer_provider)
        _attach(trace.get_tracer_provider())

    return set_tracer_provider


@contextmanager
def _threads() -> Iterator[None]:
    """A thread that the test starts belongs to the test."""
    from opentelemetry.instrumentation.threading import ThreadingInstrumentor

    instrumentor = ThreadingInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        yield
        return
    instrumentor.instrument()
    try:
        yield
    finally:
        instrumentor.uninstrument()


class Root:
    """The span of one test. It is current from `enter` until `leave`."""

    def __init__(self, name: str) -> None:
        self.span = _own().get_tracer(SCOPE).start_span(name, context=Context())
        self.context = trace.set_span_in_context(self.span, Context())
        self._token = context.attach(self.context)

    @property
    def trace_id(self) -> str:
        return trace.format_trace_id(self.span.get_span_context().trace_id)

    def leave(self) -> None:
        context.detach(self._token)
        self.span.end()
