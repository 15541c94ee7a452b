"""Cutting bytes into frames: any bytes give frames or one exception type, in bounded memory, however they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.redis.strategies import bulk, cuts, frames, pieces
from timetracer_otel.errors import WireError
from timetracer_otel.wire.redis.frames import FrameReader, bulks, split

NESTING = 100_000


@settings(max_examples=40)
@given(st.lists(frames, max_size=5), cuts)
def test_frames_do_not_depend_on_how_the_bytes_are_cut(whole: list[bytes], where: list[int]) -> None:
    reader, data = FrameReader(), b"".join(whole)
    assert [frame for piece in pieces(data, where) for frame in reader.receive(piece)] == whole
    assert reader.rest == b""
    assert split(data) == (whole, b"")


@settings(max_examples=40)
@given(st.lists(frames, min_size=1, max_size=3), st.integers(1, 40))
def test_what_is_not_whole_waits(whole: list[bytes], missing: int) -> None:
    data = b"".join(whole)[:-missing]
    reader = FrameReader()
    found = reader.receive(data)
    assert b"".join(found) + reader.rest == data
    assert (found, reader.rest) == split(data)


@settings(max_examples=40)
@given(st.one_of(st.lists(bulk, max_size=4), st.lists(frames, max_size=3)), st.integers(0, 3))
def test_bulk_strings_are_counted_as_they_are_split_or_not_at_all(whole: list[bytes], missing: int) -> None:
    data = b"".join(whole)
    data = data[: len(data) - missing]
    assert bulks(data) in (None, len(whole) if split(data) == (whole, b"") else None)


def test_plain_answers_are_counted_at_once() -> None:
    assert bulks(b"$1\r\na\r\n$0\r\n\r\n") == 2
    assert [bulks(data) for data in (b"$4\r\na\r\nb\r\n", b"$-1\r\n", b":1\r\n", b"$1\r\na\r")] == [None] * 4


protocol_like = st.lists(
    st.one_of(
        st.sampled_from([b"\r\n", b"*", b"$", b"%", b"|", b">", b"-1", b"3", b"99999999999999999999"]), st.binary()
    ),
    max_size=12,
).map(b"".join)


@settings(max_examples=40)
@given(st.one_of(st.binary(), protocol_like), cuts)
def test_any_bytes_give_frames_or_a_wire_error(data: bytes, where: list[int]) -> None:
    reader = FrameReader(max_bytes=1000)
    try:
        found = [frame for piece in pieces(data, where) for frame in reader.receive(piece)]
        assert b"".join(found) + reader.rest == data
    except WireError:
        pass
    try:
        whole, rest = split(data)
        assert b"".join(whole) + rest == data
    except WireError:
        pass


def test_a_frame_above_the_limit_is_refused_before_it_is_there() -> None:
    reader = FrameReader(max_bytes=100)
    with pytest.raises(WireError, match="of 1000 bytes: above 100"):
        reader.receive(b"$1000\r\n")


def test_small_pieces_of_what_never_ends_are_refused() -> None:
    reader = FrameReader(max_bytes=100)
    reader.receive(b"*1000\r\n")
    for _ in range(23):
        assert reader.receive(b":1\r\n") == []
    with pytest.raises(WireError, match="longer than 100 bytes"):
        reader.receive(b":1\r\n")


def test_a_line_without_an_end_is_refused() -> None:
    with pytest.raises(WireError, match="speaking TLS"):
        FrameReader().receive(b"+" * (1024 * 1024))


def test_depth_costs_nothing() -> None:
    deep = b"*1\r\n" * NESTING + b":1\r\n"
    assert FrameReader().receive(deep) == [deep]
    assert split(deep) == ([deep], b"")
