"""What we send is what OpenTelemetry's own encoders make, plus what is ours: they judge ours here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto_json.trace.v1.trace import TracesData as OfficialJson
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from tests.cassette import samples
from tests.exporters.otlp.test_bridge import sent
from tests.exporters.otlp.worst import worst
from timetracer_otel.cassette import Part
from timetracer_otel.exporters.otlp import names, otlp_json
from timetracer_otel.exporters.otlp.encoding import encode_part, grouped
from timetracer_otel.exporters.spans import SpanEncoder
from timetracer_otel.redaction import Redactor

SCHEMA = "https://opentelemetry.io/schemas/1.24.0"
ELSEWHERE = SpanContext(0x7F3A << 100, 0xB2, True, TraceFlags(1))


def test_json_is_that_which_the_official_reader_reads_and_writes_again() -> None:
    data = sent(worst(spans_number=70, rows_number=3))
    official = OfficialJson.from_json(otlp_json.dumps(data).decode())
    assert json.loads(official.to_json()) == otlp_json.to_json(data)
    assert otlp_json.from_json(json.loads(official.to_json())) == data


def test_a_span_is_sent_as_the_official_encoder_sends_it_with_attributes_of_ours() -> None:
    spans, resource = recorded()
    (expected,) = encode_spans(spans).resource_spans
    part = Part(
        trace_id=f"{context(spans[0]).trace_id:032x}",
        segment=f"{context(spans[-1]).span_id:016x}",
        process=samples.PROCESS,
        part=0,
        complete=True,
        spans=tuple(map(SpanEncoder(Redactor()).encode, spans)),
        resource=dict(resource.attributes),
        resource_schema_url=resource.schema_url,
    )
    (found,) = grouped(encode_part(part))
    assert by_id(found) == by_id(expected)
    assert (found.resource.attributes[:], found.schema_url) == (expected.resource.attributes[:], expected.schema_url)
    assert [(each.scope, each.schema_url) for each in found.scope_spans] == [
        (each.scope, each.schema_url) for each in expected.scope_spans
    ]


def recorded() -> tuple[Sequence[ReadableSpan], Resource]:
    """With all that the SDK has; links without a state, which the official encoder forgets."""
    resource = Resource({"service.name": "shop", "n": 2**40, "list": ["a", "b"]}, SCHEMA)
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=resource, span_limits=SpanLimits(max_events=1), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop", "1.2", SCHEMA, {"scope": "attribute"})
    values: dict[str, Any] = {"text": "é", "flag": True, "n": -(2**53) - 1, "f": 2.5, "list": [1, 2], "empty": ""}
    parent = set_span_in_context(NonRecordingSpan(ELSEWHERE))
    with tracer.start_as_current_span("GET /", parent, SpanKind.SERVER, values, [Link(ELSEWHERE, {"a": 1})]) as root:
        for kind in (SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.INTERNAL):
            with tracer.start_as_current_span(kind.name, kind=kind, attributes=values) as span:
                span.add_event("lost")
                span.add_event("kept", {"size": 3})
        root.set_status(Status(StatusCode.ERROR, "why"))
    return exporter.get_finished_spans(), resource


def context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def by_id(resource: ResourceSpans) -> dict[bytes, SpanMessage]:
    """Without attributes of ours, without W3C's flags, which the official encoder forgets, and without flags of links,
    which no cassette has."""
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    for span in spans:
        theirs = [each for each in span.attributes if not each.key.startswith(names.PREFIX)]
        del span.attributes[:]
        span.attributes.extend(theirs)
        span.flags &= ~TraceFlags.SAMPLED
        for link in span.links:
            link.flags = 0
    return {span.span_id: span for span in spans}
