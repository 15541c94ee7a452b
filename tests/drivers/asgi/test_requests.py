from __future__ import annotations

from dataclasses import replace

from tests.comparison.recordings import http
from timetracer_otel.cassette import Exchange
from timetracer_otel.drivers.asgi.noise import MINTED_REASON
from timetracer_otel.drivers.asgi.replay import ENTRY
from timetracer_otel.drivers.asgi.requests import ON_THE_WAY_REASON
from timetracer_otel.drivers.base import Difference, Ignored


def posted(body: bytes, **sent: str) -> Exchange:
    exchange = http(sent={"content-type": "application/json", **sent})
    return replace(exchange, request={**exchange.request, "method": "POST", "body": [[0, body]]})


def test_a_request_is_the_same_as_itself() -> None:
    found = ENTRY.compare_requests(posted(b"{}"), posted(b"{}"))
    assert (found.differences, found.ignored) == ((), ())


def test_method_path_query_and_body_are_compared() -> None:
    was, now = http("/orders"), posted(b'{"id": 1}')
    assert [each.path for each in ENTRY.compare_requests(was, now).differences] == [
        "method",
        "path",
        "headers.content-type",
        "body.line[1]",
    ]
    assert ENTRY.compare_requests(posted(b'{"id": 1}'), posted(b'{"id": 2}')).differences == (
        Difference("body.$.id", 1, 2),
    )
    asked = replace(was, request={**was.request, "query_string": b"status=open"})
    assert ENTRY.compare_requests(was, asked).differences == (Difference("query_string", "", "status=open"),)


def test_who_asked_and_by_which_way_is_no_difference_even_where_only_one_says_it() -> None:
    was, now = http(sent={"Host": "a", "traceparent": "00-1"}), http(sent={"host": "b", "x-forwarded-for": "::1"})
    found = ENTRY.compare_requests(was, now)
    assert not found.differences
    assert found.ignored == (
        Ignored("headers.host", ON_THE_WAY_REASON),
        Ignored("headers.traceparent", MINTED_REASON),
        Ignored("headers.x-forwarded-for", ON_THE_WAY_REASON),
    )


def test_markers_are_left_to_the_caller() -> None:
    was, now = ("[redacted:cookie#3f9a01]", "[redacted:cookie#77e0aa]")
    found = ENTRY.compare_requests(http(sent={"cookie": was}), http(sent={"cookie": now}))
    assert found.differences == (Difference("headers.cookie", was, now),)


def test_a_request_that_was_not_kept_is_compared_no_further() -> None:
    found = ENTRY.compare_requests(http("/orders"), http("/orders", request={}))
    assert [each.path for each in found.differences] == ["type", "method", "path", "query_string"]
