"""What the writer needs for one large answer, beside the answer itself."""

from __future__ import annotations

import hashlib
import struct
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import pytest

from timetracer_otel.capture.table import Captured
from timetracer_otel.config import KIB
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY, Kind, Operation, Prepared, Received, Sent, Tracked
from timetracer_otel.exporters.exchanges import ExchangeEncoder, Owner
from timetracer_otel.redaction import Redactor

COLUMNS = b"t\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, 0)
ROW = b"D" + struct.pack("!IHI", 4 + 2 + 4 + 1000, 1, 1000) + b"x" * 1000
COUNT = 8000


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def large() -> Captured:
    """A SELECT whose rows came in pieces, as a socket gives them."""
    heard = b"".join((b"T", struct.pack("!IH", 6 + len(COLUMNS), 1), COLUMNS, ROW * COUNT, b"Z\0\0\0\x05I"))
    operation = Operation(Kind.STATEMENT, Prepared("select t from large"))
    operation.heard = [heard[at : at + 64 * KIB] for at in range(0, len(heard), 64 * KIB)]
    captured = Captured(LIBRARY, Sent(Tracked("postgresql://db", "d", "u"), operation))
    captured.result, captured.size, captured.complete = Received(operation.heard), len(heard), True
    return captured


@pytest.mark.usefixtures("traced")
def test_a_large_answer_is_in_memory_three_times_at_most_while_it_is_written() -> None:
    """As it was heard, as its rows, and as the text that is searched for secrets."""
    stored: list[int] = []

    def put(data: bytes) -> str:
        stored.append(len(data))
        return hashlib.sha256(data).hexdigest()

    captured = large()
    tracemalloc.reset_peak()
    owner, losses = Owner("p-", 0, is_decided=True), Counter[str]()
    coded = ExchangeEncoder(1 << 30, put).encode(captured, Redactor().of_trace(), owner, losses)
    assert stored == [len(ROW) * COUNT]
    assert len(coded.text) < KIB
    assert tracemalloc.get_traced_memory()[1] < 3.2 * captured.size
