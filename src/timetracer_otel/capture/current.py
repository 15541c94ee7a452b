"""The span under which something happens: asked for each request of a driver, be it recorded or not."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext

_KEY: Final = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""Under which a context has it."""


def span_in(context: Context) -> SpanContext:
    """That of `trace.get_current_span`, which asks an abstract class too: that takes longer than all the rest."""
    span: Any = context.get(_KEY)
    return trace.INVALID_SPAN_CONTEXT if span is None else span.get_span_context()
