"""Rows, errors and other data, value by value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.comparison.recordings import (
    INT8,
    NAMES,
    TEXT,
    TOTAL,
    answers,
    in_a,
    in_b,
    one,
    query,
    reasons,
    table,
    totals,
)
from timetracer_otel.cassette import Exchange
from timetracer_otel.comparison import Differs


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
