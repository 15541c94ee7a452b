"""A frame as plain data, and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.redis.strategies import frames
from timetracer_otel.cassette import values
from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.redis.readable import RAW, decode, encode


@settings(max_examples=40)
@given(frames)
def test_every_frame_survives_the_trip(frame: bytes) -> None:
    assert encode(decode(frame)) == frame


@settings(max_examples=40)
@given(frames)
def test_every_frame_survives_the_trip_through_a_cassette(frame: bytes) -> None:
    assert encode(values.decode(values.encode(decode(frame)))) == frame


@pytest.mark.parametrize(
    ("frame", "value"),
    [
        (b"+OK\r\n", {"+": "OK"}),
        (b"-ERR no\r\n", {"-": "ERR no"}),
        (b":7\r\n", 7),
        (b"$2\r\nhi\r\n", "hi"),
        (b"$1\r\n\xff\r\n", b"\xff"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", {"*": None}),
        (b"_\r\n", {"_": ""}),
        (b"#t\r\n", True),
        (b",1.5\r\n", {",": "1.5"}),
        (b"*2\r\n:1\r\n$1\r\na\r\n", [1, "a"]),
        (b"%1\r\n+a\r\n:1\r\n", {"%": [[{"+": "a"}, 1]]}),
        (b"~1\r\n:1\r\n", {"~": [1]}),
        (b">1\r\n:1\r\n", {">": [1]}),
        (b"=6\r\ntxt:hi\r\n", {"=": "txt:hi"}),
        (b"|1\r\n+a\r\n:1\r\n:2\r\n", {"|": [[{"+": "a"}, 1]], "value": 2}),
        (b":+7\r\n", {RAW: b":+7\r\n"}),
        (b"*01\r\n:1\r\n", {RAW: b"*01\r\n:1\r\n"}),
    ],
)
def test_frames_read_as_transcripts(frame: bytes, value: object) -> None:
    assert decode(frame) == value


def test_what_is_nested_beyond_reason_stays_as_it_is() -> None:
    deep = b"*1\r\n" * 5000 + b":1\r\n"
    assert decode(deep) == {RAW: deep}


strange = st.recursive(
    st.none() | st.integers() | st.text(max_size=4) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["+", "%", "~", "x", "|"]), inner),
    max_leaves=8,
)


@settings(max_examples=40)
@given(strange)
def test_what_is_no_reply_is_refused_by_one_exception_type(value: object) -> None:
    try:
        assert isinstance(encode(value), bytes)  # type: ignore[arg-type]  # that is the question
    except Unconvertible:
        pass
