"""The span under which something happens: asked for each request of a driver, be it recorded or not."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext

KEY: Final = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""Under which a context has it."""
TRACE_ID: Final = 0
SPAN_ID: Final = 1
"""Their places in a SpanContext, which is a tuple; its properties are functions. Ids of 0 are those of no span."""


def _quickest() -> Callable[[], Context]:
    variable = getattr(otel_context._RUNTIME_CONTEXT, "_current_context", None)
    return variable.get if isinstance(variable, ContextVar) else otel_context.get_current


current_context: Final = _quickest()
"""As `opentelemetry.context.get_current`, which calls a function that calls a function."""


def span_in(context: Context) -> SpanContext:
    """That of `trace.get_current_span`, which asks an abstract class too: that takes longer than all the rest."""
    span: Any = context.get(KEY)
    return trace.INVALID_SPAN_CONTEXT if span is None else span.get_span_context()
