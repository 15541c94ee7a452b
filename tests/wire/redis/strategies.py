"""Frames of RESP2 and RESP3, whole batches of commands, and ways to cut bytes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

line = st.binary(max_size=12).filter(lambda raw: b"\r" not in raw and b"\n" not in raw)
blob = st.binary(max_size=40)


def _bulk(sign: bytes) -> Any:
    return blob.map(lambda raw: b"%b%d\r\n%b\r\n" % (sign, len(raw), raw))


bulk = _bulk(b"$")
scalars = st.one_of(
    line.map(lambda raw: b"+%b\r\n" % raw),
    line.map(lambda raw: b"-ERR %b\r\n" % raw),
    st.integers().map(lambda number: b":%d\r\n" % number),
    st.integers().map(lambda number: b"(%d\r\n" % number),
    st.floats().map(lambda number: b",%b\r\n" % repr(number).encode()),
    st.sampled_from([b"$-1\r\n", b"*-1\r\n", b"_\r\n", b"#t\r\n", b"#f\r\n"]),
    bulk,
    _bulk(b"!"),
    blob.map(lambda raw: b"=%d\r\ntxt:%b\r\n" % (len(raw) + 4, raw)),
)


def _many(inner: Any) -> Any:
    flat = st.lists(inner, max_size=4)
    pairs = st.lists(st.tuples(inner, inner).map(b"".join), max_size=3)
    return st.one_of(
        st.tuples(st.sampled_from([b"*", b"~", b">"]), flat).map(
            lambda made: b"%b%d\r\n%b" % (made[0], len(made[1]), b"".join(made[1]))
        ),
        pairs.map(lambda made: b"%%%d\r\n%b" % (len(made), b"".join(made))),
        st.tuples(pairs, inner).map(lambda made: b"|%d\r\n%b%b" % (len(made[0]), b"".join(made[0]), made[1])),
    )


frames = st.recursive(scalars, _many, max_leaves=6)
batches = st.lists(st.lists(blob, min_size=1, max_size=5), min_size=1, max_size=5)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes cut at these places, which may lie anywhere."""
    places = sorted({min(cut, len(data)) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


cuts = st.lists(st.integers(0, 200), max_size=8)
