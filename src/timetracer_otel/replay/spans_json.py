"""A span on its way out of the replaying process: `span_json` inside, `span_of` at the runner. It has no payloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from timetracer_otel.cassette import values
from timetracer_otel.errors import Unconvertible


def span_json(span: ReadableSpan) -> dict[str, Any]:
    """JSON data that `span_of` reads."""
    scope = span.instrumentation_scope
    return {
        "context": _context_json(span.get_span_context()),
        "parent": _context_json(span.parent),
        "name": span.name,
        "kind": span.kind.name,
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": [span.status.status_code.name, span.status.description],
        "attributes": _attributes_json(span.attributes),
        "events": [[event.name, event.timestamp, _attributes_json(event.attributes)] for event in span.events],
        "links": [[_context_json(link.context), _attributes_json(link.attributes)] for link in span.links],
        "resource": [_attributes_json(span.resource.attributes), span.resource.schema_url],
        "scope": [scope.name, scope.version, scope.schema_url] if scope is not None else None,
    }


def span_of(data: Mapping[str, Any]) -> ReadableSpan:
    """Raises KeyError, TypeError or ValueError for what `span_json` does not write."""
    code, description = data["status"]
    attributes, schema_url = data["resource"]
    return ReadableSpan(
        name=data["name"],
        context=_context(data["context"]),
        parent=_context(data["parent"]),
        resource=Resource(_attributes(attributes), schema_url),
        attributes=_attributes(data["attributes"]),
        events=[Event(name, _attributes(found), at_ns) for name, at_ns, found in data["events"]],
        links=[_link(*each) for each in data["links"]],
        kind=SpanKind[data["kind"]],
        status=Status(StatusCode[code], description),
        start_time=data["start_ns"],
        end_time=data["end_ns"],
        instrumentation_scope=InstrumentationScope(*data["scope"]) if data["scope"] is not None else None,
    )


def _context_json(context: SpanContext | None) -> list[Any] | None:
    if context is None:
        return None
    state = context.trace_state.to_header() if context.trace_state else ""
    return [f"{context.trace_id:032x}", f"{context.span_id:016x}", context.is_remote, int(context.trace_flags), state]


def _context(data: Sequence[Any] | None) -> SpanContext | None:
    if data is None:
        return None
    trace_id, span_id, is_remote, flags, state = data
    trace_state = TraceState.from_header([state]) if state else None
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, TraceFlags(flags), trace_state)


def _link(context: Sequence[Any], attributes: Mapping[str, Any]) -> Link:
    found = _context(context)
    if found is None:
        raise ValueError("a link without a target")
    return Link(found, _attributes(attributes))


def _attributes_json(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: _value_json(value) for name, value in (attributes or {}).items()}


def _value_json(value: Any) -> Any:
    try:
        return values.encode(value)
    except Unconvertible:  # a value that the SDK let through; another exporter would print it so
        return str(value)


def _attributes(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values.decode(value) for name, value in data.items()}
