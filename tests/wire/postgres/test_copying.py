from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.wire.postgres.answers import CopyFormats
from timetracer_otel.wire.postgres.copying import COPY_MAX_BYTES, ROWS_MAX, CopyIn, copy_rows

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def binary(*rows: list[bytes | None]) -> bytes:
    return HEADER + b"".join(map(binary_row, rows)) + b"\xff\xff"


def binary_row(cells: list[bytes | None]) -> bytes:
    sized = [b"\xff\xff\xff\xff" if cell is None else struct.pack("!i", len(cell)) + cell for cell in cells]
    return struct.pack("!h", len(cells)) + b"".join(sized)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: HEADER + data), st.booleans())
def test_rows_of_any_bytes_joined_are_the_bytes_again(data: bytes, is_binary: bool) -> None:
    assert b"".join(copy_rows(data, is_binary)) == data


@given(st.lists(st.lists(st.none() | st.binary(max_size=5), max_size=3), max_size=5))
def test_binary_rows_are_told_apart(rows: list[list[bytes | None]]) -> None:
    assert copy_rows(binary(*rows), is_binary=True) == [HEADER, *map(binary_row, rows), b"\xff\xff"]


def test_lines_are_told_apart_and_the_last_may_have_no_end() -> None:
    assert copy_rows(b"1\ta\n2\tb\n3", is_binary=False) == [b"1\ta\n", b"2\tb\n", b"3"]
    assert copy_rows(b"", is_binary=False) == []


@pytest.mark.parametrize("is_binary", [False, True])
def test_after_many_rows_the_rest_is_one_piece(is_binary: bool) -> None:
    row: list[bytes | None] = [b"x"]
    data = binary(*[row] * 5000) if is_binary else b"x\n" * 5000
    rows = copy_rows(data, is_binary)
    assert len(rows) == ROWS_MAX + 1
    assert b"".join(rows) == data


def test_what_is_more_than_any_recording_holds_is_not_kept() -> None:
    copy = CopyIn("copy t from stdin", CopyFormats(0, (0,)))
    for _ in range(5):
        copy.add(bytes(COPY_MAX_BYTES // 4))
    copied = copy.statement().copied
    assert copied is not None
    assert copied.data is None
    assert copied.size == COPY_MAX_BYTES // 4 * 5
