from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.pq import Format

from tests.wire.postgres.serving import table
from tests.wire.postgres.test_types import KNOWN, LITERALS
from timetracer_otel.cassette.model import Payload
from timetracer_otel.errors import DamagedCassette, Unconvertible
from timetracer_otel.wire.postgres.readable import to_readable, to_wire

SELECT = "select " + ", ".join(
    f"$x${literal}$x$::{name}" for name, literals in LITERALS.items() for literal in literals if name != "numeric"
)


def result(*results: dict[str, Any], **more: Any) -> Payload:
    return {"results": list(results), "tx": "I", **more}


def results(payload: Payload) -> list[dict[str, Any]]:
    data: Any = payload
    return list(data["results"])


def test_a_readable_result_is_rows_of_text() -> None:
    wire = result(
        table(
            [("id", 23), ("note", 25), ("at", 600)],
            [[(7).to_bytes(4, "big"), None], [b"x", b"\xff"], [bytes(16), None]],
            fmt=1,
        )
    )
    (readable,) = results(to_readable(wire))
    assert readable["rows"] == [["7", "x", bytes(16)], [None, b"\xff", None]]
    assert list(readable) == ["columns", "formats", "rows", "tag"]
    assert to_wire(to_readable(wire)) == wire


def test_results_without_rows_and_errors_stay_as_they_are() -> None:
    payload = result({"tag": "INSERT 0 1"}, error={"C": "23505", "M": "m"}, notices=[{"C": "00000", "M": "n"}])
    assert to_readable(payload) == to_wire(payload) == payload
    assert to_readable({}) == {}


def test_both_directions_are_idempotent() -> None:
    wire = result(table([("id", 23)], [["1", None]]), table([], []))
    assert to_wire(wire) == wire
    assert to_readable(to_readable(wire)) == to_readable(wire)


def test_an_edited_text_must_still_be_a_value() -> None:
    readable = result({"columns": [{"name": "id", "oid": 23}], "formats": [1], "rows": [["seven"]], "tag": "SELECT 1"})
    with pytest.raises(Unconvertible, match="type int4"):
        to_wire(readable)


@pytest.mark.parametrize("payload", [{"results": 3}, {"results": [{"columns": []}]}, {"results": [{"columns": [1]}]}])
def test_a_damaged_result_is_said_to_be_one(payload: dict[str, Any]) -> None:
    with pytest.raises(DamagedCassette):
        to_readable(payload)


@pytest.mark.postgres
@pytest.mark.parametrize("form", [Format.TEXT, Format.BINARY])
def test_everything_a_server_sends_comes_back_byte_for_byte(connection: psycopg.Connection, form: Format) -> None:
    found = connection.pgconn.exec_params(SELECT.encode(), None, result_format=form)
    assert found.ntuples == 1, found.error_message
    cells = [found.get_value(0, index) for index in range(found.nfields)]
    values: list[list[Any]] = [[cell.decode() if form == Format.TEXT and cell is not None else cell] for cell in cells]
    wire = result(table([(f"c{index}", found.ftype(index)) for index in range(found.nfields)], values, fmt=form))
    readable = to_readable(wire)
    assert to_wire(readable) == wire
    (row,) = results(readable)[0]["rows"]
    assert [value for value in row if not isinstance(value, str)] == []


@given(st.lists(st.tuples(st.sampled_from([*KNOWN, 600, 20_000]), st.binary(max_size=20) | st.none()), max_size=6))
def test_any_bytes_come_back(cells: list[tuple[int, bytes | None]]) -> None:
    wire = result(table([("c", oid) for oid, _ in cells], [[value] for _, value in cells], fmt=1))
    assert to_wire(to_readable(wire)) == wire


def test_r31_a_result_of_anybodys_making_without_any_results_stays_as_it_is() -> None:
    assert to_readable({"results": None}) == to_wire({"results": None}) == {"results": None}
