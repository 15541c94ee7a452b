"""What the writer needs for one large answer, beside the answer itself."""

from __future__ import annotations

import hashlib
import itertools
import struct
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson
import pytest

from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette import pieces as giving
from timetracer_otel.cassette.blobs import Put
from timetracer_otel.cassette.pieces import SMALL_PIECE_BYTES
from timetracer_otel.config import KIB, MIB
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY, Kind, Operation, Prepared, Received, Sent, Tracked
from timetracer_otel.exporters.exchanges import ExchangeEncoder, Owner
from timetracer_otel.redaction import Redactor

COLUMNS = b"t\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 1)
ROW = b"D" + struct.pack("!IHI", 4 + 2 + 4 + 1000, 1, 1000) + b"x" * 1000
COUNT = 8000


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def large(rows: bytes = ROW * COUNT) -> Captured:
    """A SELECT whose rows came in pieces, as a socket gives them."""
    heard = b"".join((b"T", struct.pack("!IH", 6 + len(COLUMNS), 1), COLUMNS, rows, b"Z\0\0\0\x05I"))
    operation = Operation(Kind.STATEMENT, Prepared("select t from large"))
    operation.heard = [heard[at : at + 64 * KIB] for at in range(0, len(heard), 64 * KIB)]
    captured = Captured(LIBRARY, Sent(Tracked("postgresql://db", "d", "u"), operation))
    captured.result, captured.size, captured.complete = Received(operation.heard), len(heard), True
    return captured


@pytest.mark.usefixtures("traced")
def test_a_large_answer_is_in_memory_three_times_at_most_while_it_is_written() -> None:
    """As it was heard, as its rows, and as the text that is searched for secrets."""
    stored: list[int] = []

    def put(pieces: Sequence[bytes]) -> str:
        stored.append(sum(map(len, pieces)))
        return _hash(pieces)

    captured = large()
    tracemalloc.reset_peak()
    owner, losses = Owner("p-", 0, is_decided=True), Counter[str]()
    coded = ExchangeEncoder(1 << 30, put).encode(captured, Redactor().of_trace(), owner, losses)
    assert stored == [len(ROW) * COUNT]
    assert len(coded.text) < KIB
    assert tracemalloc.get_traced_memory()[1] < 3.2 * captured.size


@pytest.mark.parametrize(
    "cell", ["0123456789abcdef", "Ann pays for the order of Bob, ", "\xff\0"], ids=["hex", "prose", "binary"]
)
@pytest.mark.parametrize("count", [1, 20])
def test_r40_of_a_large_answer_the_writer_handles_a_piece_at_a_time_and_gives_way_between_them(
    cell: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deterministic stand-in for the lag that `scripts/soak` measures: a call in C keeps the interpreter."""
    text = cell.encode("latin-1") * (8 * MIB // len(cell) // count)
    captured = large((b"D" + struct.pack("!IHI", 10 + len(text), 1, len(text)) + text) * count)
    turns, written, stored = 0, list[int](), list[int]()

    def paused(_: float) -> None:
        nonlocal turns
        turns += 1

    def dumped(*args: Any) -> bytes:
        written.append(len(text := dumps(*args)))
        return text

    def put(pieces: Sequence[bytes]) -> str:
        stored.extend(map(len, pieces))
        return _hash(pieces)

    dumps = orjson.dumps
    monkeypatch.setattr(orjson, "dumps", dumped)
    monkeypatch.setattr(giving, "perf_counter", itertools.count().__next__)  # each turn is over at once
    monkeypatch.setattr(giving, "sleep", paused)
    thread = threading.Thread(target=_encode_in_turns, args=(captured, put))
    thread.start()
    thread.join()
    assert sum(stored) >= 8 * MIB - len(cell) * count
    assert max(written) <= 2 * SMALL_PIECE_BYTES
    assert cell.startswith("\xff") or max(stored) <= 2 * SMALL_PIECE_BYTES  # binary data goes to its file as it is
    assert turns >= LOOKS * 8 * MIB // SMALL_PIECE_BYTES


LOOKS: Final = 4
"""At all of it: a row and a cell are copied or two pieces of text made, it is searched, and decoded."""


def _encode_in_turns(captured: Captured, put: Put) -> None:
    giving.take_turn()
    owner = Owner("p-", 0, is_decided=True)
    ExchangeEncoder(1 << 30, put).encode(captured, Redactor().of_trace(), owner, Counter())


def _hash(pieces: Sequence[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()
