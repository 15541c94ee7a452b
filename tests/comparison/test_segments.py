"""`compare`: what two recordings have in common, what they do not, and what differs between any two."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings

from tests.cassette.strategies import cassettes
from tests.comparison.recordings import (
    A_NS,
    B_NS,
    INT8,
    NAMES,
    NUMERIC,
    TEXT,
    TIMESTAMPTZ,
    TOTAL,
    UUID,
    a,
    b,
    http,
    in_a,
    in_b,
    process,
    query,
    segment,
    table,
    totals,
)
from timetracer_otel.cassette import Cassette, Entry, Exchange
from timetracer_otel.comparison import Differs, SegmentDiff, compare
from timetracer_otel.comparison.noise import CLOCK, MADE, REDACTED


def one(was: Cassette, now: Cassette) -> SegmentDiff:
    (found,) = compare(was, now).segments
    return found


def answers(was: Exchange, now: Exchange) -> Sequence[Differs]:
    found = one(in_a(was), in_b(now))
    return found.requests[0].answer if found.requests else ()


def reasons(found: SegmentDiff) -> dict[str, str]:
    return {each.path: each.reason for each in found.ignored}


def at(start_ns: int) -> str:
    """12 ms after the beginning, as PostgreSQL writes it."""
    moment = datetime.fromtimestamp(start_ns / 1e9 + 0.012, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0") + "+00"


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


# ---- requests --------------------------------------------------------------------------------------------------------


def test_another_value_is_named_by_its_parameter() -> None:
    found = one(in_a(query(1, TOTAL, ["42"], totals("12.50"))), in_b(query(1, TOTAL, ["43"], totals("12.50"))))
    assert found.requests[0].request == (Differs("parameters[0]", "42", "43"),)
    assert not found.requests[0].answer
    assert not found.is_same


def test_a_request_more_at_the_beginning_leaves_the_others_in_pairs() -> None:
    calls = [query(number, TOTAL, [str(number)], totals("1")) for number in range(2, 6)]
    found = one(in_a(*calls), in_b(query(1, TOTAL, ["1"], totals("1")), *calls))
    assert not found.requests
    assert [item.question.slots[0].shown for item in found.only_b[0].calls] == ["1"]
    assert (found.only_b[0].in_a, found.only_b[0].in_b, found.same_requests) == (4, 5, 4)


def test_layout_and_the_form_of_a_value_do_not_count() -> None:
    in_binary = query(1, TOTAL, [b"\0\0\0\x2a"], totals("1"), types=[23])
    in_binary = replace(in_binary, request={**in_binary.request, "parameter_formats": [1]})
    in_text = query(1, "select  total\nfrom orders where id = $1;", ["42"], totals("1"), types=[23])
    assert one(in_a(in_binary), in_b(in_text)).is_same


def test_equal_requests_in_another_order_are_named_as_that() -> None:
    calls = [query(number, TOTAL, [str(number)], totals("1")) for number in range(1, 4)]
    swapped = [replace(calls[index], at_ns=number * 1_000_000) for number, index in enumerate((1, 2, 0), start=1)]
    (two,) = (found := one(in_a(*calls), in_b(*swapped))).requests
    assert (two.is_moved, two.a.number, two.b.number, two.request, two.answer) == (True, 1, 3, (), ())
    assert (found.only_a, found.only_b, found.is_same) == ((), (), False)


def test_the_order_of_requests_that_were_under_way_together_is_chance() -> None:
    calls = [query(n, TOTAL, [str(n)], totals("1"), at_ns=n, duration_ns=9_000_000) for n in range(1, 4)]
    swapped = [replace(calls[index], at_ns=number) for number, index in enumerate((1, 2, 0), start=1)]
    found = one(in_a(*calls), in_b(*swapped))
    assert found.is_same
    assert [each.path for each in found.ignored] == ["order"]


def test_a_statement_outside_of_its_transaction_is_another_request() -> None:
    found = one(in_a(query(1, TOTAL, ["1"], transaction=1)), in_b(query(1, TOTAL, ["1"])))
    assert found.requests[0].request == (Differs("transaction", "inside", "outside"),)


def test_the_library_that_asked_does_not_count() -> None:
    """Of a library that this release has no driver for the signature is what is known."""
    unknown = replace(query(1), type="cache.get", request={"key": "k"}, result={"value": 1})
    assert one(in_a(unknown), in_b(unknown)).is_same
    changed = replace(unknown, result={"value": 2})
    assert answers(unknown, changed) == (Differs("value", 1, 2),)


# ---- answers ---------------------------------------------------------------------------------------------------------


def rows(*found: Sequence[str | None], **columns: int) -> Exchange:
    return query(1, NAMES, (), table(columns or {"id": INT8, "name": TEXT}, found))


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        (rows(["1", "x"], ["2", "y"]), rows(["1", "x"], ["2", "z"]), [Differs("row[1].name", "y", "z")]),
        (rows(["1", "x"]), rows(["1", None]), [Differs("row[0].name", "x", None)]),
        (
            rows(["1", "x"], ["2", "y"]),
            rows(["2", "y"]),
            [Differs("rows", 2, 1), Differs("row[0]", ["1", "x"], "(absent)")],
        ),
        (
            rows(["1", "x"], ["2", "y"]),
            rows(["2", "y"], ["1", "x"]),
            [Differs("rows", "in this order", "the same in another order")],
        ),
        (
            rows(["1"], id=INT8),
            rows(["1"], id=TEXT),
            [Differs("columns.id.type", 20, 25), Differs("row[0].id", "1", "1")],
        ),
        (rows(["1"], id=INT8), rows(["1"], number=INT8), [Differs("columns", ["id"], ["number"])]),
    ],
)
def test_rows_are_compared_by_column(was: Exchange, now: Exchange, expected: list[Differs]) -> None:
    assert list(answers(was, now)) == expected


def test_the_number_of_a_table_is_another_one_in_every_database() -> None:
    result = table({"id": INT8}, [["1"]])
    was, now = ({**result, "columns": [{"name": "id", "oid": INT8, "table": number}]} for number in (16385, 16500))
    assert not answers(query(1, NAMES, (), was), query(1, NAMES, (), now))


def test_an_error_is_compared_field_by_field_without_lines_of_the_server() -> None:
    was = {"S": "ERROR", "C": "23505", "M": "twice", "L": "10", "R": "_bt"}
    now = {"S": "FEHLER", "C": "23503", "M": "twice", "L": "99", "R": "_bt", "D": "Key (id)=(1)."}
    assert answers(query(1, error=was), query(1, error=now)) == (
        Differs("error.code", "23505", "23503"),
        Differs("error.detail", "(absent)", "Key (id)=(1)."),
    )


def test_each_of_several_results_is_named() -> None:
    both = query(1, NAMES, (), totals("1"), totals("2")), query(1, NAMES, (), totals("1"), totals("3"))
    assert answers(*both) == (Differs("results[1].row[0].total", "2", "3"),)
    assert answers(query(1, NAMES, (), totals("1")), both[0]) == (Differs("results", 1, 2),)


def test_a_result_of_a_shape_that_nobody_can_read_is_compared_as_data() -> None:
    was, now = (replace(query(1), result={"results": [{"columns": number}]}) for number in (1, 2))
    assert answers(was, now) == (Differs("results[0].columns", 1, 2),)


def test_an_answer_that_only_one_recording_has_is_a_difference() -> None:
    kept = query(1, TOTAL, ["1"], totals("1"))
    lost = replace(kept, result={}, dropped={"reason": "limit", "size": 9_000_000})
    assert answers(kept, lost) == (Differs("answer", "kept", "not kept (limit)"),)
    found = one(in_a(lost), in_b(lost))
    assert found.is_same
    assert reasons(found) == {"answer": "neither recording has it, so it cannot be compared"}


# ---- what differs between any two ------------------------------------------------------------------------------------

MINE, YOURS = (str(uuid.UUID(int=number, version=4)) for number in (1, 2))


def made(value: str) -> Exchange:
    columns = {"reference": UUID}
    return query(1, "insert into orders values ($1) returning reference", [value], table(columns, [[value]]))


def test_ids_that_the_application_made_stand_for_each_other() -> None:
    found = one(in_a(made(MINE), ids=[MINE]), in_b(made(YOURS), ids=[YOURS]))
    assert found.is_same
    assert reasons(found) == {"parameters[0]": MADE, "row[0].reference": MADE}


def test_an_id_that_nobody_made_is_a_value_like_any_other() -> None:
    assert not one(in_a(made(MINE)), in_b(made(YOURS), ids=[YOURS])).is_same


def test_an_id_stands_for_one_other_and_for_no_third() -> None:
    third = str(uuid.UUID(int=3, version=4))
    was = in_a(made(MINE), query(2, TOTAL, [MINE]), ids=[MINE])
    now = in_b(made(YOURS), query(2, TOTAL, [third]), ids=[YOURS, third])
    (two,) = one(was, now).requests
    assert two.request == (Differs("parameters[0]", MINE, third),)


def test_instants_are_excused_each_within_its_own_recording() -> None:
    def touched(start_ns: int) -> Exchange:
        result = table({"at": TIMESTAMPTZ}, [[at(start_ns)]])
        return query(1, "update orders set at = $1 returning at", [at(start_ns)], result, types=[TIMESTAMPTZ])

    found = one(in_a(touched(A_NS)), in_b(touched(B_NS)))
    assert found.is_same
    assert reasons(found) == {"parameters[0]": CLOCK, "row[0].at": CLOCK}
    assert not one(in_a(touched(A_NS)), in_b(touched(A_NS + 5_000_000_000))).is_same


def test_times_in_an_answer_of_http_are_excused_in_every_spelling() -> None:
    def answered(start_ns: int) -> Exchange:
        seconds = start_ns / 1e9 + 0.01
        moment = datetime.fromtimestamp(seconds, timezone.utc)
        expires = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return http(
            answer={"iso": moment.isoformat(), "s": int(seconds), "ms": seconds * 1e3}, headers={"Expires": expires}
        )

    found = one(in_a(answered(A_NS)), in_b(answered(B_NS)))
    assert not found.outcome
    assert {each.reason for each in found.ignored} == {CLOCK}
    assert len(found.ignored) == 4


SECRET, OTHER = "[redacted:password#3f9a01]", "[redacted:password#77e0aa]"


def test_markers_of_two_processes_cannot_be_compared() -> None:
    found = one(in_a(query(1, TOTAL, [SECRET])), in_b(query(1, TOTAL, [OTHER])))
    assert found.is_same
    assert reasons(found) == {"parameters[0]": REDACTED}


def test_markers_of_one_process_are_equal_for_equal_secrets_alone() -> None:
    was = in_a(query(1, TOTAL, [SECRET]))
    assert one(was, in_b(query(1, TOTAL, [SECRET]), process=process())).is_same
    assert not one(was, in_b(query(1, TOTAL, [OTHER]), process=process())).is_same


def test_a_secret_that_stands_open_in_one_recording_is_a_difference() -> None:
    for was, now in ([SECRET, "hunter2"], ["hunter2", SECRET]):
        assert not one(in_a(query(1, TOTAL, [was])), in_b(query(1, TOTAL, [now]))).is_same


def test_a_number_that_stands_in_for_a_secret_cannot_be_compared_either() -> None:
    def masked(value: str) -> Exchange:
        found = query(1, TOTAL, [value], table({"pin": NUMERIC}, [[value]]), types=[INT8])
        return replace(found, redacted=("request.parameters[0]", "result.results[0].values[0]"))

    found = one(in_a(masked("111")), in_b(masked("222")))
    assert found.is_same
    assert reasons(found) == {"parameters[0]": REDACTED, "row[0].pin": REDACTED}
    assert not one(in_a(masked("111")), in_b(masked("222"), process=process())).is_same
    assert not one(in_a(masked("111")), in_b(replace(masked("222"), redacted=()))).is_same


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
        began = time.process_time()
        assert len(one(in_a(*calls), in_b(*others)).requests) == count
        return time.process_time() - began

    took(100)
    assert took(20_000) < 30 * took(2_000)
