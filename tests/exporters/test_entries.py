"""What a root is called, and what came of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from timetracer_otel.cassette import Entry, Exchange, Payload, Signature, Span, SpanEvent
from timetracer_otel.exporters.entries import entry_again, entry_of

ROOT = "1" * 16


def span(status: str = "UNSET", description: str = "", attributes: Payload | None = None, *events: SpanEvent) -> Span:
    return Span(ROOT, "GET /", "SERVER", 1, 2, None, False, "", "", "", status, description, attributes or {}, events)


def http(result: Payload) -> Exchange:
    return Exchange("a-1", "http.server", Signature("asgi", "GET", "/"), {"app": "shop.web:app"}, result)


ERROR: Payload = {"type": "builtins.KeyError", "message": "'total'\nmore"}


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"status": 200}, "200"),
        ({"status": 500, "exception": ERROR}, "500 KeyError: 'total'"),
        ({"exception": ERROR}, "500 KeyError: 'total'"),
        ({"exception": {"type": "asyncio.CancelledError", "message": ""}}, "500 CancelledError"),
        ({}, "204"),
    ],
)
def test_a_request_is_named_by_its_status_and_exception(result: Payload, outcome: str) -> None:
    root = span(attributes={"http.response.status_code": 204})
    assert entry_of(root, [http(result)]) == Entry("http.server", "GET /", outcome, "shop.web:app")


def test_a_request_that_raised_after_its_answer_is_named_again_by_a_later_part() -> None:
    request = replace(http({"status": 500, "exception": ERROR}), span_id=ROOT)
    found = entry_again("GET /", ROOT, [request])
    assert found == Entry("http.server", "GET /", "500 KeyError: 'total'", "shop.web:app")
    others = [http({"status": 200}), replace(request, span_id="b" * 16), replace(request, type="db.query")]
    assert entry_again("GET /", ROOT, others) is None


def test_a_request_that_no_driver_heard_is_named_by_its_span() -> None:
    assert entry_of(span(attributes={"http.status_code": 404}), []) == Entry("http.server", "GET /", "404")


@pytest.mark.parametrize(
    ("root", "outcome"),
    [
        (span(), "ok"),
        (span("ERROR", "no luck"), "no luck"),
        (span("ERROR"), "ERROR"),
        (
            span("ERROR", "", {}, SpanEvent("exception", 1, {"exception.type": "shop.Bad", "exception.message": "x"})),
            "Bad: x",
        ),
    ],
)
def test_a_function_is_named_by_its_exception(root: Span, outcome: str) -> None:
    assert entry_of(root, []) == Entry("function", "GET /", outcome)


@pytest.mark.parametrize(("status", "outcome"), [(500, "500 KeyError: 'total'"), (200, "200")])
def test_an_answer_of_500_is_named_by_the_exception_that_its_span_heard_of(status: int, outcome: str) -> None:
    event = SpanEvent("exception", 1, {"exception.type": "KeyError", "exception.message": "'total'"})
    root = span("ERROR", "", {}, event)
    assert entry_of(root, [http({"status": status})]) == Entry("http.server", "GET /", outcome, "shop.web:app")
