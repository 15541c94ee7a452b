"""BSON as elements: whatever is valid survives, whatever is not is one kind of error."""

from __future__ import annotations

from typing import Any

import bson as drivers_bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.mongo.strategies import DOCUMENTS
from timetracer_otel.errors import WireError
from timetracer_otel.wire.mongo import bson

PLAIN: dict[str, Any] = {
    "a": 1,
    "b": 2**40,
    "c": -1.5,
    "d": True,
    "e": None,
    "f": "é\0",
    "g": b"\0\1",
    "h": {"x": [1, {"y": []}]},
}


@given(DOCUMENTS)
def test_a_document_is_its_elements(document: bytes) -> None:
    assert bson.joined(bson.elements(document)) == document


def test_plain_data_becomes_what_the_driver_makes_of_it() -> None:
    assert bson.encode(PLAIN) == drivers_bson.encode(PLAIN)


@given(st.binary(max_size=60))
def test_any_bytes_give_elements_or_a_wire_error(data: bytes) -> None:
    framed = len(data).to_bytes(4, "little") + data[4:] if len(data) >= 4 else data
    for document in (data, framed, (len(data) + 5).to_bytes(4, "little") + data + b"\0"):
        try:
            list(bson.elements(document))
        except WireError:
            pass


@given(DOCUMENTS, st.data())
def test_a_damaged_document_gives_elements_or_a_wire_error(document: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(document) - 1))
    damaged = document[:at] + bytes([data.draw(st.integers(0, 255))]) + document[at + 1 :]
    try:
        list(bson.elements(damaged))
    except WireError:
        pass


@pytest.mark.parametrize("data", [b"", b"\5\0\0\0", b"\5\0\0\0\1", b"\6\0\0\0\x44\0", b"\x08\0\0\0\x10a\0\0"])
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(WireError, match="BSON"):
        list(bson.elements(data))
