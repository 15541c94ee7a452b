"""The quick writer gives byte for byte what the plain one gives."""

from __future__ import annotations

import math
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.strategies import blobs
from timetracer_otel.cassette import quick, values
from timetracer_otel.cassette.model import Blob, Value
from timetracer_otel.cassette.pieces import PIECE_BYTES
from timetracer_otel.errors import Unconvertible

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec=None, categories=None)),
    st.binary(),
    blobs,
    st.sampled_from(["$", "$text", '{"$', 'a,"$b', "null", b"\xff", b"$", "\ud800"]),
)
KEYS = st.one_of(st.text(max_size=4), st.sampled_from(["$text", "$b64", "$", "a"]))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4).map(MappingProxyType),
    ),
)


@given(VALUES)
def test_it_writes_what_the_plain_writer_writes(value: Value) -> None:
    assert quick.dumps(value) == values.dumps(value)


@pytest.mark.parametrize("depth", [1, 199, 200, 201, 253, 254, 300])
def test_it_goes_as_deep_and_no_deeper(depth: int) -> None:
    value: Value = 1
    for _ in range(depth):
        value = [value]
    if depth <= values.MAX_DEPTH:
        assert quick.dumps(value) == values.dumps(value)
    else:
        with pytest.raises(Unconvertible):
            quick.dumps(value)


@pytest.mark.parametrize("value", [object(), {1: 2}, {1, 2}, [object]])
def test_what_is_no_value_is_refused(value: Value) -> None:
    with pytest.raises(Unconvertible):
        quick.dumps(value)


@given(VALUES, VALUES)
def test_a_document_with_payloads_is_the_same_text(first: Value, second: Value) -> None:
    document: dict[str, Value] = {"id": "1", "none": None, "request": first, "result": {"a": second}}
    pieces = quick.payload_pieces(document, ("request", "result", "absent"))
    texts = {name: b"".join(each) for name, each in pieces.items()}
    assert quick.dumps_around(document, texts) == values.dumps(document)


@given(blobs)
def test_plain_data_with_a_blob_is_the_same_text(blob: Blob) -> None:
    document: dict[str, Value] = {"id": "1", "body": [[7, blob], [8, b"end"]]}
    assert quick.dumps_plain(document) == values.dumps(document)


def test_a_mapping_of_another_type_does_not_hide_a_key_that_looks_like_ours() -> None:
    value: Value = {"a": MappingProxyType({"x": 1}), "b": {"$set": 1}}
    assert quick.dumps(value) == values.dumps(value)


def test_nan_beside_null_is_not_null() -> None:
    assert quick.dumps([None, math.nan]) == values.dumps([None, math.nan]) != b"[null,null]"


@given(st.sampled_from(["é", "🎈", '"', "\\", "\x00", "{$", "\n"]), st.integers(-8, 8), st.sampled_from([b"", b"\xff"]))
def test_large_binary_data_is_written_in_pieces_as_the_plain_writer_writes_it(
    text: str, place: int, end: bytes
) -> None:
    value: Value = {"rows": [b"~" * (PIECE_BYTES + place) + text.encode() + b"." * 100 + end, b"small"]}
    assert quick.dumps(value) == quick.dumps_plain(value) == values.dumps(value)  # type: ignore[arg-type]  # a mapping


@given(VALUES, st.sampled_from(["[", "{", '{"$', ',"$', "null"]), st.integers(-20, 8))
def test_a_large_document_is_checked_in_pieces(value: Value, text: str, place: int) -> None:
    large = ["." * (PIECE_BYTES + place), text, value, {text: math.inf}]
    assert quick.dumps(large) == values.dumps(large)


@given(st.dictionaries(st.sampled_from("ab"), st.one_of(st.text(), st.binary(max_size=60)), max_size=3), st.booleans())
def test_what_is_too_large_to_stand_inline_is_none(document: dict[str, Value], is_tight: bool) -> None:
    text = quick.dumps_plain(document)
    limit = len(text) - is_tight
    assert quick.dumps_inline(document, limit) == (None if is_tight else text)
