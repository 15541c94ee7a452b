"""Any bytes in any pieces give messages or one exception type, and memory for no more than what came."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.postgres.client import bind, describe, execute, message, parse, query, startup
from tests.wire.postgres.serving import Canned, exchange, table
from timetracer_otel.errors import DamagedCassette, WireError
from timetracer_otel.wire.postgres.backend import Backend
from timetracer_otel.wire.postgres.packed import unpacked
from timetracer_otel.wire.postgres.reader import FrontendReader
from timetracer_otel.wire.postgres.recorded import recorded
from timetracer_otel.wire.postgres.responses import cells, is_ended, response, row_description, shape, spans, statuses

KIB, MIB = 1 << 10, 1 << 20
STARTED = startup(user="app", database="shop")
ANSWERS = [
    exchange("select 1", table([("n", 23)], [["1"]])),
    exchange("select $1", table([("n", 23)], [["7"]]), types=[23], values=["7"]),
    exchange("copy t from stdin", {"tag": "COPY 1"}),
]
KNOWN = [
    STARTED,
    query("select 1"),
    query("begin; select 1"),
    query("copy t from stdin"),
    parse("s", "select $1", 23),
    bind("p", "s", [b"7"]),
    describe("S", "s"),
    execute("p", 1),
    message(b"S"),
    message(b"H"),
    message(b"d", b"1\n"),
    message(b"c"),
    message(b"X"),
]
LENGTHS = st.sampled_from([0, 3, 4, 5, 1000, 65_535, 1 << 27, (1 << 31) - 1, (1 << 32) - 1])
LYING = st.builds(
    lambda kind, length, body: kind + struct.pack("!I", length) + body,
    st.sampled_from([b"Q", b"P", b"B", b"D", b"T", b"t", b"G", b"H", b"A", b"E", b"S", b"Z"]),
    LENGTHS,
    st.binary(max_size=30),
)
"""Messages whose length is another one."""
COUNTING = st.builds(
    lambda kind, count, body: message(kind, struct.pack("!H", count) + body),
    st.sampled_from([b"D", b"T", b"t", b"B", b"P"]),
    st.sampled_from([0, 1, 255, 32_767, 65_535]),
    st.binary(max_size=40),
)
"""Messages that announce more values than they have."""
PIECES = st.lists(st.sampled_from(KNOWN) | LYING | COUNTING | st.binary(max_size=20), max_size=8).map(b"".join)
CUTS = st.lists(st.integers(0, 300), max_size=8)


@contextmanager
def memory(most: int) -> Iterator[None]:
    """Fails if more than `most` bytes were in use at once inside the block."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < most


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]


def said(data: list[bytes]) -> tuple[bytes, bool]:
    """What a backend says, and whether it refused to go on."""
    backend, answer = Backend(1, Canned(list(ANSWERS))), b""
    try:
        for piece in data:
            if not backend.is_closing:
                answer += backend.receive(piece)
    except WireError:
        return answer, True
    return answer, False


@given(PIECES, CUTS)
def test_a_backend_takes_any_bytes_in_any_pieces_alike(data: bytes, cuts: list[int]) -> None:
    with memory(MIB):
        at_once, bit_by_bit = said([STARTED, data]), said([STARTED, *pieces(data, cuts)])
    assert bit_by_bit == at_once or at_once[1]
    if at_once[1]:  # what came before the bytes that are none of the protocol may have been answered already
        assert bit_by_bit[1]


@given(PIECES, CUTS)
def test_a_reader_holds_no_more_than_one_message(data: bytes, cuts: list[int]) -> None:
    reader = FrontendReader(max_bytes=KIB)
    with memory(MIB):
        try:
            for piece in pieces(data, cuts):
                list(reader.receive(piece))
        except WireError:
            pass


def test_a_length_without_its_bytes_costs_no_memory() -> None:
    reader = FrontendReader(is_started=True)
    with memory(KIB * 64):
        for piece in [b"Q" + struct.pack("!I", 200 * MIB), *[b"x" * 100] * 100]:
            assert list(reader.receive(piece)) == []


PARSERS: list[Callable[[bytes], Any]] = [
    response,
    shape,
    statuses,
    is_ended,
    cells,
    row_description,
    lambda data: list(spans(data)),
]


@pytest.mark.parametrize("read", PARSERS)
@given(data=PIECES)
def test_what_a_server_said_is_read_or_refused_in_bounded_memory(read: Callable[[bytes], Any], data: bytes) -> None:
    with memory(MIB):
        try:
            read(data)
        except WireError:
            pass


@given(PIECES, st.integers(0, 1 << 40), st.integers(0, 4))
def test_packed_rows_of_anybody_are_read_or_refused(data: bytes, rows: int, columns: int) -> None:
    answer: dict[str, Any] = {**table([("n", 23)] * columns, [[]] * columns), "rows": rows, "data": data}
    del answer["values"]
    with memory(MIB):
        try:
            unpacked(answer)
        except WireError:
            pass
        try:
            recorded({"results": [answer]})
        except DamagedCassette:
            pass
