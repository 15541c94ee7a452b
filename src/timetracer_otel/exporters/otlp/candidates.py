"""Which recorded traces a Jaeger has.

Source: jaeger 2.19, `/api/v3/trace-summaries`, which is small and can be asked for tags. An older release has neither:
it answers with its page, and is asked by `/api/traces`, which brings all spans.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from timetracer_otel.errors import BackendError
from timetracer_otel.exporters.otlp import names
from timetracer_otel.exporters.otlp.jaeger import ADDRESS, checked
from timetracer_otel.exporters.otlp.push import UNKNOWN_PATH
from timetracer_otel.exporters.otlp.transfer import Client, Connection

_US: Final = 1_000_000
_NS_IN_US: Final = 1000


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
    """Of the entry, or in how many spans there is an error, where Jaeger tells no more."""
    spans: int


def search(base_url: str, wanted: Wanted, connection: Connection) -> list[Candidate]:
    """Newest first. Raises BackendError."""
    client, until_us = connection.client(), int(time.time() * _US)
    since_us = max(0, until_us - int(wanted.since_s * _US))
    tags = json.dumps({names.RECORDED: "true", **wanted.tags})
    found = _by_summaries(client, base_url, wanted, tags, (since_us, until_us))
    if found is None:
        found = _by_traces(client, base_url, wanted, tags, (since_us, until_us))
    return sorted(found, key=lambda one: (-one.started_us, one.trace_id))


# ---- jaeger 2.19 and later -------------------------------------------------------------------------------------------


def _by_summaries(
    client: Client, base_url: str, wanted: Wanted, tags: str, bounds_us: tuple[int, int]
) -> list[Candidate] | None:
    """None where the release is too old for it."""
    url, (since, until) = f"{base_url}/api/v3/trace-summaries", map(_timestamp, bounds_us)
    parameters = {
        "query.service_name": wanted.service,
        "query.attributes": tags,
        "query.start_time_min": since,
        "query.start_time_max": until,
        "query.num_traces": str(wanted.limit),
    }
    answer = client.get(url, parameters)
    if answer.is_page or answer.status in UNKNOWN_PATH:
        return None
    return [_summarised(each) for each in _listed(checked(answer, url), "summaries", url)]


def _timestamp(us: int) -> str:
    return f"{datetime.fromtimestamp(us // _US, timezone.utc):%Y-%m-%dT%H:%M:%S}.{us % _US:06d}Z"


def _summarised(summary: dict[str, Any]) -> Candidate:
    started_ns, ended_ns = _number(summary, "minStartTimeUnixNano"), _number(summary, "maxEndTimeUnixNano")
    errors = _number(summary, "errorSpanCount")
    return Candidate(
        trace_id=str(summary.get("traceId", "")).zfill(32),
        started_us=started_ns // _NS_IN_US,
        duration_us=max(0, ended_ns - started_ns) // _NS_IN_US,
        entry=str(summary.get("rootOperationName", "")),
        outcome=f"{errors} in error" if errors else "",
        spans=_number(summary, "spanCount"),
    )


# ---- jaeger before that ----------------------------------------------------------------------------------------------


def _by_traces(client: Client, base_url: str, wanted: Wanted, tags: str, bounds_us: tuple[int, int]) -> list[Candidate]:
    url, (since_us, until_us) = f"{base_url}/api/traces", bounds_us
    parameters = {
        "service": wanted.service,
        "tags": tags,
        "start": str(since_us),
        "end": str(until_us),
        "limit": str(wanted.limit),
    }
    answer = client.get(url, parameters)
    return [_told(each) for each in _listed(checked(answer, url), "data", url) if isinstance(each.get("spans"), list)]


def _told(trace: dict[str, Any]) -> Candidate:
    spans = [span for span in trace["spans"] if isinstance(span, dict)]
    root, tags = next(((span, tags) for span in spans if names.RECORDED in (tags := _tags(span))), ({}, {}))
    starts = [number for span in spans if (number := _number(span, "startTime"))]
    ends = [_number(span, "startTime") + _number(span, "duration") for span in spans]
    started_us = min(starts, default=0)
    return Candidate(
        trace_id=str(trace.get("traceID", "")).zfill(32),
        started_us=started_us,
        duration_us=max(0, max(ends, default=0) - started_us),
        entry=str(root.get("operationName", "")),
        outcome=str(tags.get(names.OUTCOME, "")),
        spans=len(spans),
    )


def _tags(span: dict[str, Any]) -> dict[str, Any]:
    tags = span.get("tags")
    found = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    return {str(tag.get("key")): tag.get("value") for tag in found}


# ---- what anybody may have answered ----------------------------------------------------------------------------------


def _listed(body: bytes, name: str, url: str) -> Iterator[dict[str, Any]]:
    """The objects in the list of this name. Raises BackendError."""
    try:
        found = json.loads(body)[name] or []
        if not isinstance(found, list):
            raise TypeError(name)
    except (ValueError, RecursionError, LookupError, TypeError):
        raise BackendError(url, "its answer is not that of Jaeger", ADDRESS) from None
    return (each for each in found if isinstance(each, dict))


def _number(owner: dict[str, Any], name: str) -> int:
    """As JSON of protobuf writes one: a long one stands in a text."""
    value = owner.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if type(value) is int else 0
