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
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.wire.postgres.readable import readable, to_readable
from timetracer_otel.wire.postgres.types import to_binary

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
    (shown,) = results(to_readable(wire))
    assert shown["rows"] == [["7", "x", bytes(16)], [None, b"\xff", None]]
    assert list(shown) == ["columns", "formats", "rows", "tag"]


def test_results_without_rows_and_errors_stay_as_they_are() -> None:
    payload = result({"tag": "INSERT 0 1"}, error={"C": "23505", "M": "m"}, notices=[{"C": "00000", "M": "n"}])
    assert to_readable(payload) == payload
    assert to_readable({}) == {}


def test_what_is_readable_stays_as_it_is() -> None:
    wire = result(table([("id", 23)], [["1", None]]), table([], []))
    assert to_readable(to_readable(wire)) == to_readable(wire)


@pytest.mark.parametrize("payload", [{"results": 3}, {"results": [{"columns": []}]}, {"results": [{"columns": [1]}]}])
def test_a_damaged_result_is_said_to_be_one(payload: dict[str, Any]) -> None:
    with pytest.raises(DamagedCassette):
        to_readable(payload)


@pytest.mark.postgres
@pytest.mark.parametrize("form", [Format.TEXT, Format.BINARY])
def test_everything_a_server_sends_is_a_text_that_gives_it_back_byte_for_byte(
    connection: psycopg.Connection, form: Format
) -> None:
    found = connection.pgconn.exec_params(SELECT.encode(), None, result_format=form)
    assert found.ntuples == 1, found.error_message
    cells = [found.get_value(0, index) for index in range(found.nfields)]
    values: list[list[Any]] = [[cell.decode() if form == Format.TEXT and cell is not None else cell] for cell in cells]
    wire = result(table([(f"c{index}", found.ftype(index)) for index in range(found.nfields)], values, fmt=form))
    (row,) = results(to_readable(wire))[0]["rows"]
    assert [value for value in row if not isinstance(value, str)] == []
    kinds = [found.ftype(index) for index in range(found.nfields)]
    assert [_sent(kind, form, text) for kind, text in zip(kinds, row, strict=True)] == cells


def _sent(kind: int, form: Format, text: str) -> bytes:
    return text.encode() if form == Format.TEXT else to_binary(kind, text)


@given(st.sampled_from([*KNOWN, 600, 20_000]), st.binary(max_size=20))
def test_any_bytes_are_a_text_that_gives_them_back_or_stay_as_they_are(oid: int, value: bytes) -> None:
    shown = readable(oid, 1, value)
    assert value == (to_binary(oid, shown) if isinstance(shown, str) else shown)


def test_r31_a_result_of_anybodys_making_without_any_results_stays_as_it_is() -> None:
    assert to_readable({"results": None}) == {"results": None}
