"""Jaeger's query service: one trace by its id. Source: jaeger v1.76.0, `/api/v3`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from timetracer_otel.errors import BackendError, UsageError
from timetracer_otel.exporters.otlp.reading import read
from timetracer_otel.exporters.otlp.transfer import Answer, Connection

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

NOT_FOUND: Final = 404
ADDRESS: Final = "--from is the address of Jaeger's query service, port 16686"
_OK: Final = 200
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


def checked_trace_id(text: str) -> str:
    """Raises UsageError: a backend knows no beginnings of ids."""
    trace_id = text.strip().lower()
    if _TRACE_ID.fullmatch(trace_id) is None or not int(trace_id, 16):
        raise UsageError("TRACE_ID", f"{text[:40]!r} is no trace id", "write all 32 digits; --service NAME lists them")
    return trace_id


def fetch(base_url: str, trace_id: str, connection: Connection) -> TracesData:
    """The trace as it was sent. Raises BackendError, DamagedCassette."""
    url = f"{base_url}/api/v3/traces/{trace_id}"
    # Without raw_traces Jaeger mends times and ids, and sorts attributes.
    answer = connection.client().get(url, {"raw_traces": "true"})
    if answer.status == NOT_FOUND and not answer.is_page:
        problem = f"there is no trace {trace_id} ({answer.message or 'not found'})"
        raise BackendError(
            url, problem, "it may not be stored yet, or not any more; --service NAME lists what there is"
        )
    return read(checked(answer, url), url)


def checked(answer: Answer, url: str) -> bytes:
    """What it holds. Raises BackendError unless it is one of Jaeger's."""
    if answer.is_page:
        problem = f"it answered {answer.status} with a web page"
        raise BackendError(url, problem, ADDRESS)
    if answer.status != _OK:
        problem = f"it answered {answer.status} ({answer.message or 'without a word'})"
        raise BackendError(url, problem, ADDRESS)
    return answer.body
