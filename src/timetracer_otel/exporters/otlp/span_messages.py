"""Spans of a cassette <-> OTLP spans. What a backend may lose of one is said once more, in its residue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK as KNOWN_REMOTE
from opentelemetry.proto.trace.v1.trace_pb2 import SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK as REMOTE
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from timetracer_otel.cassette import Span, SpanEvent, SpanLink, Value
from timetracer_otel.cassette.document import span_document
from timetracer_otel.exporters.otlp.attributes import (
    BACKENDS_OWN,
    NAME_MAX_BYTES,
    Shown,
    is_text,
    shown_text,
)
from timetracer_otel.exporters.otlp.names import PREFIX
from timetracer_otel.exporters.otlp.records import mark

SAMPLED: Final = 1
_GREATEST_NS: Final = 2**64 - 2
_GREATEST_COUNT: Final = 2**32 - 1
_NO_ID: Final = "0" * 16
_ALWAYS: Final = ("start_ns", "end_ns", "status")
"""A backend that counts in microseconds, or tells the status from other attributes, loses these."""
_WHERE_SET: Final = (
    *("remote_parent", "status_description", "events", "links"),
    *("scope_schema_url", "scope_attributes", "dropped"),
)
_TEXTS: Final = ("name", "scope", "scope_version", "trace_state")

_KINDS: Final = {number: name.removeprefix("SPAN_KIND_") for name, number in SpanMessage.SpanKind.items()}
_STATUSES: Final = {number: name.removeprefix("STATUS_CODE_") for name, number in Status.StatusCode.items()}


def clock(ns: int) -> int:
    """A time that OTLP can say."""
    return min(max(ns, 0), _GREATEST_NS)


def counted(number: int) -> int:
    """A number of dropped things that OTLP can say."""
    return min(max(number, 0), _GREATEST_COUNT)


def span_message(trace_id: str, span: Span) -> tuple[SpanMessage, dict[str, Value]]:
    """The span as others see it, and its residue."""
    message, shown = SpanMessage(), Shown()
    message.trace_id, message.span_id = bytes.fromhex(trace_id), bytes.fromhex(span.span_id)
    message.parent_span_id = b"" if span.parent_id is None else bytes.fromhex(span.parent_id)
    message.flags = SAMPLED | KNOWN_REMOTE | (REMOTE if span.remote_parent else 0)
    message.trace_state = shown_text(span.trace_state)
    message.name = shown_text(span.name)
    message.kind = SpanMessage.SpanKind.Value(f"SPAN_KIND_{span.kind}")
    message.start_time_unix_nano = clock(span.start_ns)
    message.end_time_unix_nano = max(clock(span.end_ns), clock(span.start_ns) + 1)  # else a backend mends it, loudly
    message.status.code = Status.StatusCode.Value(f"STATUS_CODE_{span.status}")
    message.status.message = shown_text(span.status_description)
    message.dropped_attributes_count = counted(span.dropped.get("attributes", 0))
    message.dropped_events_count = counted(span.dropped.get("events", 0))
    message.dropped_links_count = counted(span.dropped.get("links", 0))
    mark(message)
    travelling = shown.add(span.attributes, message.attributes)
    for event in span.events:
        _show_event(event, message.events.add(), shown)
    for link in span.links:
        _show_link(link, message.links.add(), shown)
    return message, _residue(span, travelling)


def _show_event(event: SpanEvent, message: SpanMessage.Event, shown: Shown) -> None:
    message.time_unix_nano, message.name = clock(event.at_ns), shown_text(event.name)
    message.dropped_attributes_count = counted(event.dropped)
    shown.add(event.attributes, message.attributes)


def _show_link(link: SpanLink, message: SpanMessage.Link, shown: Shown) -> None:
    message.trace_id, message.span_id = bytes.fromhex(link.trace_id), bytes.fromhex(link.span_id)
    message.trace_state, message.flags = shown_text(link.trace_state), SAMPLED
    message.dropped_attributes_count = counted(link.dropped)
    shown.add(link.attributes, message.attributes)


def _residue(span: Span, travelling: frozenset[str]) -> dict[str, Value]:
    document = span_document(span)
    residue = {name: document[name] for name in _ALWAYS}
    residue |= {name: document[name] for name in _WHERE_SET if document.get(name)}
    residue |= {name: document[name] for name in _TEXTS if not is_text(str(document[name]), NAME_MAX_BYTES)}
    if span.parent_id == _NO_ID:
        residue["parent_id"] = span.parent_id
    if odd := {name: value for name, value in span.attributes.items() if name not in travelling}:
        residue["attributes"] = odd
    return residue


def read_span(
    message: SpanMessage,
    scope: tuple[str, str],
    attributes: Mapping[str, Value],
    residue: Mapping[str, Value],
) -> dict[str, Value]:
    """The document of the span (`cassette.document.span_document`), of whatever a stranger sent."""
    odd = residue.get("attributes")
    native: dict[str, Value] = {
        "span_id": message.span_id.hex(),
        "parent_id": message.parent_span_id.hex() or None,
        "remote_parent": False,
        "name": message.name,
        "kind": _KINDS.get(message.kind, "INTERNAL").replace("UNSPECIFIED", "INTERNAL"),
        "start_ns": message.start_time_unix_nano,
        "end_ns": message.end_time_unix_nano,
        "status": _STATUSES.get(message.status.code, "UNSET"),
        "scope": scope[0],
        "scope_version": scope[1],
        "trace_state": message.trace_state,
    }
    plain = {name: value for name, value in attributes.items() if _is_recorded(name)}
    return {**native, **residue, "attributes": {**plain, **(odd if isinstance(odd, dict) else {})}}


def _is_recorded(name: str) -> bool:
    return not name.startswith(PREFIX) and name not in BACKENDS_OWN
