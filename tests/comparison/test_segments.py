"""`compare`: entries, pairs of segments, and the whole."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from tests.cassette.strategies import cassettes
from tests.comparison.recordings import (
    A_NS,
    B_NS,
    TOTAL,
    a,
    b,
    http,
    in_a,
    in_b,
    one,
    process,
    query,
    reasons,
    segment,
    totals,
)
from timetracer_otel.cassette import Cassette, Entry
from timetracer_otel.comparison import Differs, compare

MINE, YOURS = (str(uuid.UUID(int=number, version=4)) for number in (1, 2))


@settings(max_examples=40, deadline=None)
@given(cassettes())
def test_any_recording_is_the_same_as_itself(cassette: Cassette) -> None:
    found = compare(cassette, cassette)
    assert found.is_same
    assert not any(each.ignored for each in found.segments if not each.a.exchanges)


@settings(max_examples=40, deadline=None)
@given(cassettes(), cassettes())
def test_any_two_recordings_can_be_compared(was: Cassette, now: Cassette) -> None:
    compare(was, now)


# ---- entry -----------------------------------------------------------------------------------------------------------


def test_the_answer_of_http_is_compared_path_by_path() -> None:
    was, now = http(answer={"id": 42, "total": "12.50"}), http(answer={"id": 42, "total": "13"}, status=201)
    assert one(in_a(was), in_b(now)).outcome == (
        Differs("status", 200, 201),
        Differs("body.$.total", "12.50", "13"),
    )


def test_what_was_asked_is_told_apart_from_what_came_back() -> None:
    found = one(in_a(http("/orders/42")), in_b(http("/orders/43", sent={"host": "b", "accept": "text/html"})))
    assert found.asked == (
        Differs("path", "/orders/42", "/orders/43"),
        Differs("headers.accept", "(absent)", "text/html"),
    )
    assert not found.outcome
    assert list(reasons(found)) == ["headers.host"]


def test_an_exception_is_part_of_the_outcome() -> None:
    failed = http(status=500)
    error = {"type": "builtins.KeyError", "message": "'total'", "traceback": ""}
    found = one(in_a(http()), in_b(replace(failed, result={**failed.result, "exception": error})))
    assert Differs("status", 200, 500) in found.outcome
    assert Differs("exception.type", "(absent)", "builtins.KeyError") in found.outcome


def test_without_a_captured_request_the_outcome_is_that_of_the_root() -> None:
    was, now = (Entry("function", "import", outcome) for outcome in ("ok", "ValueError: no"))
    assert one(in_a(entry=was), in_b(entry=now)).outcome == (Differs("outcome", "ok", "ValueError: no"),)


def test_an_entry_of_a_shape_that_its_driver_cannot_read_is_compared_as_data() -> None:
    was, now = (http(result={"status": 200, "headers": number}) for number in (1, 2))
    assert one(in_a(was), in_b(now)).outcome == (Differs("headers", 1, 2),)


def test_an_entry_whose_answer_one_recording_lost_is_a_difference() -> None:
    lost = http(result={}, dropped={"reason": "limit"})
    assert one(in_a(http()), in_b(lost)).outcome == (Differs("answer", "kept", "not kept (limit)"),)
    assert one(in_a(lost), in_b(lost)).is_same


# ---- the whole -------------------------------------------------------------------------------------------------------


def test_segments_are_paired_by_name_and_order_and_what_is_left_is_named() -> None:
    was, now = ["GET /", "charge", "charge", "mail"], ["GET /", "mail", "charge", "report"]
    found = compare(
        a(*(segment(segment_id=f"a{number}" * 8, name=name) for number, name in enumerate(was))),
        b(*(segment(segment_id=f"b{number}" * 8, name=name) for number, name in enumerate(now))),
    )
    assert [(each.a.id[:2], each.b.id[:2]) for each in found.segments] == [("a0", "b0"), ("a1", "b2"), ("a3", "b1")]
    assert [each.id[:2] for each in found.unpaired_a] == ["a2"]
    assert [each.id[:2] for each in found.unpaired_b] == ["b3"]
    assert not found.is_same


def test_one_segment_is_compared_with_one_whatever_their_names() -> None:
    found = one(in_a(name="GET /orders"), in_b(name="GET /customers"))
    assert found.asked == (Differs("entry", "GET /orders", "GET /customers"),)


def test_an_id_that_one_segment_made_is_known_in_the_next() -> None:
    def trace(make: Any, start_ns: int, made_here: str, name: str) -> Cassette:
        first = segment(ids=[made_here], start_ns=start_ns, process=process(name))
        then = segment(query(1, TOTAL, [made_here]), segment_id="d4" * 8, start_ns=start_ns, name="charge")
        return make(first, replace(then, process=process(name)))  # type: ignore[no-any-return]  # `a` or `b`

    assert compare(trace(a, A_NS, MINE, "9f"), trace(b, B_NS, YOURS, "8b")).is_same


def test_a_recording_that_is_not_whole_differs_from_one_that_is() -> None:
    found = one(in_a(), in_b(complete=False, dropped={"limit": 2}))
    assert found.recording == (Differs("recording", "whole", "incomplete"), Differs("dropped.limit", "(absent)", "2"))


def test_versions_are_told_and_make_no_difference() -> None:
    was, now = (process(python=python, packages=packages) for python, packages in _VERSIONS)
    found = compare(in_a(process=was), in_b(process=now))
    assert found.environment == {"Python": ("3.11.2", "3.12.1"), "psycopg": ("3.2.1", "(absent)")}
    assert found.is_same


_VERSIONS: Any = [("3.11.2", {"psycopg": "3.2.1", "starlette": "1.0"}), ("3.12.1", {"starlette": "1.0"})]


def test_twenty_thousand_requests_are_compared_in_time_that_grows_with_their_number() -> None:
    import time

    def took(count: int) -> float:
        calls = [query(number, TOTAL, [str(number)], totals("1")) for number in range(count)]
        others = [query(number, TOTAL, [str(-number)], totals("2")) for number in range(count)]
        began = time.thread_time()
        assert len(one(in_a(*calls), in_b(*others)).requests) == count
        return time.thread_time() - began

    took(100)
    assert took(20_000) < 30 * took(2_000)
