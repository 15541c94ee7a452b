"""BSON of every type, exact and odd."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from timetracer_otel.wire.mongo import bson

NAMES = st.binary(max_size=6).map(lambda data: data.replace(b"\0", b"a"))
TEXTS = st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace"))
CSTRINGS = TEXTS.map(lambda text: text.replace(b"\0", b"b") + b"\0")
STRINGS = TEXTS.map(bson.string)


def _binary(data: bytes, subtype: int) -> bytes:
    return len(data).to_bytes(4, "little") + bytes([subtype]) + data


LEAVES = st.one_of(
    st.tuples(st.just(bson.DOUBLE), st.floats(allow_nan=True).map(struct.Struct("<d").pack)),
    st.tuples(st.sampled_from([bson.STRING, bson.CODE, bson.SYMBOL]), STRINGS),
    st.tuples(st.just(bson.BINARY), st.builds(_binary, st.binary(max_size=9), st.integers(0, 255))),
    st.tuples(st.sampled_from([bson.UNDEFINED, bson.NULL, bson.MIN_KEY, bson.MAX_KEY]), st.just(b"")),
    st.tuples(st.just(bson.OBJECT_ID), st.binary(min_size=12, max_size=12)),
    st.tuples(st.just(bson.BOOLEAN), st.sampled_from([b"\0", b"\1"])),
    st.tuples(st.sampled_from([bson.DATE, bson.INT64, bson.TIMESTAMP]), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(bson.REGEX), st.builds(bytes.__add__, CSTRINGS, CSTRINGS)),
    st.tuples(st.just(bson.DB_POINTER), st.builds(bytes.__add__, STRINGS, st.binary(min_size=12, max_size=12))),
    st.tuples(st.just(bson.INT32), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(bson.DECIMAL128), st.binary(min_size=16, max_size=16)),
)


def _document(parts: list[tuple[bytes, tuple[int, bytes]]]) -> bytes:
    return bson.joined(bson.Element(kind, name, value) for name, (kind, value) in parts)


def _array(parts: list[tuple[int, bytes]]) -> bytes:
    return bson.joined(bson.Element(kind, str(at).encode(), value) for at, (kind, value) in enumerate(parts))


VALUES: st.SearchStrategy[tuple[int, bytes]] = st.recursive(
    LEAVES,
    lambda values: st.one_of(
        st.tuples(st.just(bson.DOCUMENT), st.lists(st.tuples(NAMES, values), max_size=4).map(_document)),
        st.tuples(st.just(bson.ARRAY), st.lists(values, max_size=4).map(_array)),
    ),
    max_leaves=12,
)
DOCUMENTS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(_document)
