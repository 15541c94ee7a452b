"""Canonical Extended JSON v2: what the driver's own converter says, without the driver, and exact or told to be not."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any

import bson as drivers_bson
import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.json_util import CANONICAL_JSON_OPTIONS, loads
from bson.json_util import dumps as driver_dumps
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.mongo.strategies import DOCUMENTS
from timetracer_otel.errors import Unconvertible, WireError
from timetracer_otel.wire.mongo import bson
from timetracer_otel.wire.mongo.extended_json import exact, from_text, to_text

OPTIONS = CANONICAL_JSON_OPTIONS.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, uuid_representation=UuidRepresentation.UNSPECIFIED
)
OID = ObjectId("6b070cb6a0fae5343faf121b")
KNOWN: tuple[Any, ...] = (
    1,
    Int64(1),
    2**40,
    -0.0,
    1e300,
    float("inf"),
    float("-inf"),
    float("nan"),
    'é \U0001f600 " \\ \n',
    True,
    None,
    OID,
    Decimal128("1.50"),
    Decimal128("NaN"),
    Decimal128("-Infinity"),
    Decimal128("1E+6111"),
    Decimal128("-0E-6176"),
    Decimal128("0.000001234"),
    Decimal128("1.2E-7"),
    Decimal128("9999999999999999999999999999999999"),
    Binary(b"\0\xff", 0),
    Binary(b"ab", 2),
    Binary(b"0123456789abcdef", 3),
    Binary(b"0123456789abcdef", 4),
    Binary(b"x", 128),
    dt.datetime(2024, 2, 29, 1, 2, 3, 4000),
    DatetimeMS(8_640_000_000_000_000),
    Regex("^a.*b$", "imx"),
    Code("f()"),
    Code("f()", {"a": 1}),
    Timestamp(4_000_000_000, 7),
    MinKey(),
    MaxKey(),
    DBRef("users", OID),
    {"b": 1, "a": {"$set": {"x.y": [1, [2]]}}},
    [],
    {},
)


@pytest.mark.parametrize("value", KNOWN, ids=repr)
def test_r42_a_value_is_told_exactly_and_read_by_the_driver(value: Any) -> None:
    document = drivers_bson.encode({"v": value})
    text = exact(document)
    assert text is not None
    assert from_text(text) == document
    assert drivers_bson.encode(loads(text, json_options=OPTIONS)) == document


@pytest.mark.parametrize("value", [each for each in KNOWN if not isinstance(each, DatetimeMS)], ids=repr)
def test_the_text_is_the_one_that_the_driver_writes(value: Any) -> None:
    assert from_text(driver_dumps({"v": value}, json_options=OPTIONS)) == drivers_bson.encode({"v": value})


def _element(kind: int, name: bytes, value: bytes) -> bytes:
    return bson.joined([bson.Element(kind, name, value)])


@pytest.mark.parametrize(
    "document",
    [
        _element(bson.DOUBLE, b"nan", struct.pack("<Q", 0x7FF8000000000001)),
        _element(bson.STRING, b"s", bson.string(b"\xff")),
        _element(bson.DOCUMENT, b"d", _element(bson.STRING, b"$oid", bson.string(b"6b070cb6a0fae5343faf121b"))),
        _element(bson.ARRAY, b"a", _element(bson.NULL, b"7", b"")),
        _element(bson.BOOLEAN, b"b", b"\2"),
        _element(bson.NULL, b"\xff", b""),
    ],
)
def test_what_json_cannot_say_is_said_as_well_as_can_be_and_known_to_be_inexact(document: bytes) -> None:
    assert exact(document) is None
    assert to_text(document).startswith("{")


def test_keys_that_a_document_has_twice_stay() -> None:
    parts = [bson.Element(bson.INT32, b"k", bytes([number, 0, 0, 0])) for number in (1, 2)]
    assert exact(bson.joined(parts)) == '{"k": {"$numberInt": "1"}, "k": {"$numberInt": "2"}}'


@given(DOCUMENTS)
def test_a_text_called_exact_gives_the_same_bytes_back(document: bytes) -> None:
    text = exact(document)
    assert text is None or from_text(text) == document
    assert to_text(document)


@given(
    st.recursive(
        st.none() | st.text(max_size=4) | st.booleans(),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(
                    ["$oid", "$binary", "base64", "subType", "$date", "$numberLong", "$code", "$scope", "a"]
                ),
                v,
            )
        ),
    )
)
def test_any_json_is_a_document_or_unconvertible(data: object) -> None:
    import json

    try:
        list(bson.elements(from_text(json.dumps(data))))
    except Unconvertible:
        pass


def test_a_document_without_bottom_is_refused() -> None:
    document = bson.joined([])
    for _ in range(300):
        document = _element(bson.DOCUMENT, b"a", document)
    assert exact(document) is None
    with pytest.raises(WireError, match="deeper"):
        to_text(document)


@pytest.mark.parametrize("text", ['{"a": {"$oid": {"$code": null}}}', '{"a": {"$oid": "ab"}}', '{"a": 1}', "[]", "{"])
def test_what_is_not_canonical_is_unconvertible(text: str) -> None:
    with pytest.raises(Unconvertible, match="Extended JSON"):
        from_text(text)
