"""TIMETRACER_KEEP: which segments are written. A fraction is chosen at the start, the rest when the local root ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import StatusCode

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from timetracer_otel.config import Keep

SERVER_ERROR: Final = 500
STATUS_ATTRIBUTES: Final = ("http.response.status_code", "http.status_code")
RETRY_ATTRIBUTE: Final = "celery.retry.reason"
"""Set by opentelemetry-instrumentation-celery on a task that asks to run again; its status then stays UNSET."""
_TELLING: Final = frozenset((*STATUS_ATTRIBUTES, RETRY_ATTRIBUTE))

# W3C trace context, level 2: the 56 rightmost bits of a trace id are random, the others may be a time.
_RANDOM_BITS: Final = (1 << 56) - 1


def is_kept_at_once(keep: Keep, trace_id: int) -> bool:
    """True if nothing that happens in this trace can change that it is kept."""
    return keep.everything or (keep.one_in is not None and (trace_id & _RANDOM_BITS) % keep.one_in == 0)


def is_kept(keep: Keep, root_id: int, spans: Iterable[ReadableSpan]) -> bool:
    """`spans` are those of the segment that have ended and that memory holds, its root among them."""
    for span in spans:  # written out, for this runs for every span of a service that keeps nothing but errors
        if keep.errors and is_error(span):
            return True
        if keep.slow_ns is not None and _is_slow_root(keep.slow_ns, root_id, span):
            return True
    return False


def is_error(span: ReadableSpan) -> bool:
    """ERROR status, an answer of 5xx, or a task that asks for a retry."""
    if span.status.status_code is StatusCode.ERROR:
        return True
    attributes = span.attributes
    if not attributes or _TELLING.isdisjoint(attributes):  # one look at the names: each `get` would take a lock
        return False
    codes = [attributes.get(name) for name in STATUS_ATTRIBUTES]
    return RETRY_ATTRIBUTE in attributes or any(isinstance(code, int) and code >= SERVER_ERROR for code in codes)


def _is_slow_root(slow_ns: int, root_id: int, span: ReadableSpan) -> bool:
    if span.context is None or span.context.span_id != root_id:
        return False
    return (span.end_time or 0) - (span.start_time or 0) >= slow_ns
