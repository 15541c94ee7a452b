"""Jaeger's query service: one trace by its id, and which traces there are.

Source: jaeger v1.76.0, `/api/v3` and, for a search by tags, `/api/traces`, which later releases have too.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.errors import BackendError, UsageError
from timetracer_otel.exporters.otlp import names
from timetracer_otel.exporters.otlp.reading import read
from timetracer_otel.exporters.otlp.transfer import Answer, Connection

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

NOT_FOUND: Final = 404
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
    _check(answer, url)
    return read(answer.body, url)


@dataclass(frozen=True, slots=True)
class Wanted:
    service: str
    tags: Mapping[str, str]
    since_s: float
    limit: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trace that Jaeger has, and that somebody recorded."""

    trace_id: str
    started_us: int
    duration_us: int
    entry: str
    outcome: str
    spans: int


def search(base_url: str, wanted: Wanted, connection: Connection) -> list[Candidate]:
    """Newest first. Raises BackendError."""
    url, now_us = f"{base_url}/api/traces", int(time.time() * 1_000_000)
    parameters = {
        "service": wanted.service,
        "tags": json.dumps({names.RECORDED: "true", **wanted.tags}),
        "start": str(now_us - int(wanted.since_s * 1_000_000)),
        "end": str(now_us),
        "limit": str(wanted.limit),
    }
    answer = connection.client().get(url, parameters)
    _check(answer, url)
    traces = _traces(answer, url)
    return sorted((_candidate(each) for each in traces), key=lambda one: (-one.started_us, one.trace_id))


def _check(answer: Answer, url: str) -> None:
    if answer.is_page:
        problem = f"it answered {answer.status} with a web page"
        raise BackendError(url, problem, "--from is the address of Jaeger's query service, port 16686")
    if answer.status != _OK:
        problem = f"it answered {answer.status} ({answer.message or 'without a word'})"
        raise BackendError(url, problem, "--from is the address of Jaeger's query service, port 16686")


def _traces(answer: Answer, url: str) -> list[dict[str, Any]]:
    try:
        data = json.loads(answer.body)["data"]
        return [each for each in data or [] if isinstance(each, dict) and isinstance(each.get("spans"), list)]
    except (ValueError, RecursionError, LookupError, TypeError):
        raise BackendError(
            url, "its answer is not that of Jaeger", "--from is the address of its query service"
        ) from None


def _candidate(trace: dict[str, Any]) -> Candidate:
    spans = [span for span in trace["spans"] if isinstance(span, dict)]
    recorded = next((tags for span in spans if names.RECORDED in (tags := _tags(span))), {})
    root = next((span for span in spans if names.RECORDED in _tags(span)), {})
    starts = [number for span in spans if (number := _number(span, "startTime"))]
    ends = [_number(span, "startTime") + _number(span, "duration") for span in spans]
    started_us = min(starts, default=0)
    return Candidate(
        trace_id=str(trace.get("traceID", "")).zfill(32),
        started_us=started_us,
        duration_us=max(0, max(ends, default=0) - started_us),
        entry=str(root.get("operationName", "")),
        outcome=str(recorded.get(names.OUTCOME, "")),
        spans=len(spans),
    )


def _tags(span: dict[str, Any]) -> dict[str, Any]:
    tags = span.get("tags")
    found = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    return {str(tag.get("key")): tag.get("value") for tag in found}


def _number(span: dict[str, Any], name: str) -> int:
    value = span.get(name)
    return value if type(value) is int else 0
