"""TIMETRACER_KEEP: which segments are written. Decided when the local root has ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import StatusCode

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from timetracer_otel.config import Keep

SERVER_ERROR: Final = 500
STATUS_ATTRIBUTES: Final = ("http.response.status_code", "http.status_code")


def is_kept(keep: Keep, spans: Iterable[ReadableSpan]) -> bool:
    """`spans` are those of the segment that have ended, its root among them."""
    return keep.everything or (keep.errors and any(is_error(span) for span in spans))


def is_error(span: ReadableSpan) -> bool:
    """ERROR status, or an answer of 5xx."""
    if span.status.status_code is StatusCode.ERROR:
        return True
    attributes = span.attributes or {}
    codes = (attributes.get(name) for name in STATUS_ATTRIBUTES)
    return any(isinstance(code, int) and code >= SERVER_ERROR for code in codes)
