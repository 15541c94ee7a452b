"""Spans of the SDK -> spans of a cassette."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState, set_span_in_context

from timetracer_otel.cassette import Span, SpanEvent, SpanLink
from timetracer_otel.exporters import spans
from timetracer_otel.exporters.spans import SpanEncoder
from timetracer_otel.redaction import SECRETS, Redactor
from timetracer_otel.redaction.places import Place, Places


@pytest.fixture
def encoder() -> SpanEncoder:
    return SpanEncoder(Redactor(b"key"))


def test_every_field_of_a_span_arrives(encoder: SpanEncoder) -> None:
    limits = SpanLimits(max_span_attributes=2, max_event_attributes=1, max_link_attributes=1, max_events=1, max_links=1)
    provider = TracerProvider(shutdown_on_exit=False, span_limits=limits)
    tracer = provider.get_tracer("shop", "1.2", "https://shop.example/1.0", {"part": "web"})
    parent = tracer.start_span("parent")
    linked = SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "1")]))
    span = tracer.start_span(
        "GET /orders",
        context=set_span_in_context(parent),
        kind=SpanKind.CLIENT,
        attributes={"cut": 0, "n": 1, "list": ["a", "b"]},
        links=[Link(linked), Link(linked, {"cut": 0, "why": "retry"})],
        start_time=10,
    )
    span.add_event("cut")
    span.add_event("retry", {"cut": 0, "attempt": 2}, timestamp=15)
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
        events=(SpanEvent("retry", 15, {"attempt": 2}, dropped=1),),
        links=(SpanLink(f"{0xA:032x}", f"{0xB:016x}", {"why": "retry"}, "v=1", dropped=1),),
        scope_schema_url="https://shop.example/1.0",
        scope_attributes={"part": "web"},
        dropped={"attributes": 1, "events": 1, "links": 1},
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


def test_one_look_at_all_new_texts_finds_the_one_with_a_secret(encoder: SpanEncoder) -> None:
    encoder.attributes({"user": "ann", "page": "/orders"})
    masked = encoder.attributes({"user": "ann", "header": "Bearer abcdefgh12345678", "page": "/orders", "n": 2})
    assert masked["header"] == f"Bearer {Redactor(b'key').marker('bearer', 'abcdefgh12345678')}"
    assert (masked["user"], masked["page"], masked["n"]) == ("ann", "/orders", 2)


def test_a_place_of_a_rule_file_masks_an_attribute() -> None:
    rules = replace(SECRETS, places=Places((Place(("app", "customer")),)))
    encoder = SpanEncoder(Redactor(b"key", rules))
    for _ in range(2):
        masked = encoder.attributes({"app.customer": "ann", "app.page": "/orders"})
        assert masked == {"app.customer": Redactor(b"key").marker("customer", "ann"), "app.page": "/orders"}


@pytest.mark.parametrize(
    ("value", "kept"),
    [(object, "<class 'object'>"), ({"a": [1, object]}, {"a": [1, "<class 'object'>"]}), ((1, None), [1, None])],
)
def test_what_no_cassette_can_hold_stands_as_its_repr(encoder: SpanEncoder, value: Any, kept: object) -> None:
    assert encoder.attributes({"odd": value}) == {"odd": kept}


def test_a_secret_that_the_trace_knows_is_masked_in_a_span_under_any_name(encoder: SpanEncoder) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("shop")
    span = tracer.start_span("of s3cr3t-session-0123", attributes={"who": "s3cr3t-session-0123", "n": 1})
    span.add_event("seen", {"by": "id s3cr3t-session-0123"})
    span.end()
    assert isinstance(span, ReadableSpan)
    redactor = Redactor(b"key").of_trace()
    assert encoder.encode(span, redactor).attributes["who"] == "s3cr3t-session-0123"
    redactor.headers([[b"cookie", b"sid=s3cr3t-session-0123"]], "headers")
    marker = redactor.marker("cookie", "s3cr3t-session-0123")
    encoded = encoder.encode(span, redactor)
    assert (encoded.name, encoded.attributes) == (f"of {marker}", {"who": marker, "n": 1})
    assert encoded.events[0].attributes == {"by": f"id {marker}"}


@pytest.mark.parametrize("name", ["db.statement", "db.query.text"])
def test_r46_a_literal_that_goes_into_a_secret_column_is_masked_in_the_statement_of_a_span(
    encoder: SpanEncoder, name: str
) -> None:
    redactor = Redactor(b"key")
    sql = "INSERT INTO users (name, password) VALUES ('ann', '{}')"
    assert encoder.attributes({name: sql.format("short")}) == {name: sql.format(redactor.marker("password", "short"))}
    assert encoder.attributes({"note": sql.format("short")}) == {"note": sql.format("short")}


def test_r46_values_of_a_statement_that_have_no_names_go_as_a_whole(encoder: SpanEncoder) -> None:
    redactor = Redactor(b"key")
    for name in ("db.statement.parameters", "db.query.parameter.0"):
        marker = redactor.marker("statement_parameters", "('ann', 'x')")
        assert encoder.attributes({name: "('ann', 'x')"}) == {name: marker}


@pytest.mark.parametrize("kind", [ValueError, KeyError])
def test_a_secret_that_is_the_whole_message_of_an_exception_leaves_no_text_of_its_span(kind: type[Exception]) -> None:
    redactor = Redactor(b"key")
    of_trace = redactor.of_trace()
    of_trace.value({"password": "hunter22"}, "")
    provider = TracerProvider(shutdown_on_exit=False)
    with pytest.raises(kind), provider.get_tracer("shop").start_as_current_span("login") as span:
        raise kind("hunter22")
    assert isinstance(span, ReadableSpan)
    encoded = SpanEncoder(redactor).encode(span, of_trace)
    texts = [encoded.status_description, *map(str, encoded.events[0].attributes.values())]
    shown = [text for text in texts if "[redacted:password#" in text]
    # The line that raised it stands in the traceback, and is no value but the text of this file.
    assert not [text for text in texts if "hunter22" in text.replace('raise kind("hunter22")', "")]
    assert len(shown) == 3
