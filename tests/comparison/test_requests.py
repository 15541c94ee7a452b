"""Which request of A is which of B."""

from __future__ import annotations

from dataclasses import replace

from tests.comparison.recordings import (
    TOTAL,
    answers,
    in_a,
    in_b,
    one,
    query,
    totals,
)
from timetracer_otel.comparison import Differs


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


def test_of_an_answer_that_was_too_large_the_statement_is_known_and_its_values_are_not() -> None:
    kept = query(1, TOTAL, ["1"], totals("1"))
    lost = replace(kept, request={"statement": TOTAL}, result={}, dropped={"reason": "limit"})
    (two,) = one(in_a(lost), in_b(kept)).requests
    assert (two.request, two.answer) == ((), (Differs("answer", "not kept (limit)", "kept"),))
