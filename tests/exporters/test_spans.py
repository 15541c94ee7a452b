"""Spans of the SDK -> spans of a cassette."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState, set_span_in_context

from timetracer_otel.cassette import Span, SpanEvent, SpanLink
from timetracer_otel.exporters import spans
from timetracer_otel.exporters.spans import SpanEncoder
from timetracer_otel.redaction import Redactor


@pytest.fixture
def encoder() -> SpanEncoder:
    return SpanEncoder(Redactor(b"key"))


def test_every_field_of_a_span_arrives(encoder: SpanEncoder) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("shop", "1.2")
    parent = tracer.start_span("parent")
    linked = SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "1")]))
    span = tracer.start_span(
        "GET /orders",
        context=set_span_in_context(parent),
        kind=SpanKind.CLIENT,
        attributes={"n": 1, "list": ["a", "b"]},
        links=[Link(linked, {"why": "retry"})],
        start_time=10,
    )
    span.add_event("retry", {"attempt": 2}, timestamp=15)
    span.set_status(StatusCode.ERROR, "no luck")
    span.end(end_time=20)
    assert isinstance(span, ReadableSpan)
    assert encoder.encode(span) == Span(
        span_id=f"{span.get_span_context().span_id:016x}",
        name="GET /orders",
        kind="CLIENT",
        start_ns=10,
        end_ns=20,
        parent_id=f"{parent.get_span_context().span_id:016x}",
        scope="shop",
        scope_version="1.2",
        status="ERROR",
        status_description="no luck",
        attributes={"n": 1, "list": ["a", "b"]},
        events=(SpanEvent("retry", 15, {"attempt": 2}),),
        links=(SpanLink(f"{0xA:032x}", f"{0xB:016x}", {"why": "retry"}, "v=1"),),
    )


def test_what_was_clean_once_is_not_taken_for_clean_under_another_name(encoder: SpanEncoder) -> None:
    for name, value in (("n", 1), ("user", "hunter2"), ("ok", True)):
        assert encoder.attributes({name: value}) == {name: value}
        assert encoder.attributes({name: value}) == {name: value}
    masked = encoder.attributes({"token": 1, "password": "hunter2"})
    assert "hunter2" not in str(masked)
    assert masked["token"] != 1


def test_true_under_a_secret_name_does_not_let_1_through(encoder: SpanEncoder) -> None:
    assert encoder.attributes({"token": True}) == {"token": True}
    assert encoder.attributes({"token": 1}) != {"token": 1}


def test_the_memory_for_clean_values_is_bounded(encoder: SpanEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "CLEAN_MAX", 10)
    for number in range(100):
        encoder.attributes({"url": f"/{number}", "body": "x" * 10_000})
        encoder.text(f"GET /{number}")
    assert len(encoder._clean) <= 10
    assert all("x" * 10_000 not in str(key) for key in encoder._clean)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(object, "<class 'object'>"), ({"a": [1, object]}, {"a": [1, "<class 'object'>"]}), ((1, None), [1, None])],
)
def test_what_no_cassette_can_hold_stands_as_its_repr(encoder: SpanEncoder, value: Any, kept: object) -> None:
    assert encoder.attributes({"odd": value}) == {"odd": kept}
