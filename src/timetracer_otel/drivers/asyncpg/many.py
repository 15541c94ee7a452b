"""`executemany` as one exchange: its Binds and the answers to them, without a step per execution where it records."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.asyncpg.tracking import Operation
from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres.packed import PACKED, columns
from timetracer_otel.wire.postgres.reader import FrontendReader
from timetracer_otel.wire.postgres.requests import Bind
from timetracer_otel.wire.postgres.responses import Response, Result, cells, spans

BIND: Final = ord("B")
HEADER: Final = struct.Struct("!cI")
PACKED_MIN: Final = 20
"""From here on the values stay in one piece, as rows of an answer do."""


def binds_of(operation: Operation) -> list[bytes]:
    said = b"".join(operation.said)
    return [said[start:end] for kind, start, end in spans(said) if kind == BIND]


def answered(heard: Response) -> int:
    """How many executions the server answered; the last of them with an error, if there was one."""
    is_open = bool(heard.results) and heard.results[-1].tag is None  # rows came before the error
    return len(heard.results) + (heard.error is not None and not is_open)


def bound_values(binds: Sequence[bytes]) -> tuple[Bind, Payload]:
    """The first Bind, and the values of all as a table. Raises WireError if they are not alike."""
    first = bind_of(binds[0])
    start, end = _edges(binds[0], first)
    head = binds[0][HEADER.size : start]
    if any(not bind.startswith(head, HEADER.size) for bind in binds):
        raise WireError("PostgreSQL Bind: not the same statement and formats as the one before")
    rows = [_row(bind[start:end]) for bind in binds]
    table: dict[str, Value] = {"formats": list(first.formats), "rows": len(rows)}
    if len(rows) >= PACKED_MIN and first.values:
        return first, {**table, PACKED: b"".join(rows)}
    return first, {**table, "values": columns([cells(row) for row in rows], first.formats)}


def bind_of(bind: bytes) -> Bind:
    """Raises WireError."""
    (found,) = FrontendReader(is_started=True).receive(bind)
    if not isinstance(found, Bind):
        raise WireError("PostgreSQL Bind: none where one belongs")
    return found


def _edges(bind: bytes, read: Bind) -> tuple[int, int]:
    """Where the values of it and of its like begin, counted from the front, and end, counted from the end."""
    at = bind.index(b"\0", bind.index(b"\0", HEADER.size) + 1) + 1
    (formats,) = struct.unpack_from("!H", bind, at)
    return at + 2 + 2 * formats, -2 - 2 * len(read.result_formats)


def _row(values: bytes) -> bytes:
    """A DataRow: it says the values as a Bind does."""
    return HEADER.pack(b"D", len(values) + 4) + values


def runs(results: Sequence[Result], count: int) -> list[Value]:
    """How many rows each execution gave and its tag, equal ones that follow each other together."""
    each: Iterator[tuple[int, str | None]] = ((one.count, one.tag) for one in results)
    failed = itertools.repeat((0, None), count - len(results))
    groups = itertools.groupby(itertools.chain(each, failed))
    return [[rows, tag, sum(1 for _ in group)] for (rows, tag), group in groups]


def joined(results: Sequence[Result], answer: Callable[[Result], Payload]) -> list[Value]:
    """All rows in one result; none where the statement gives none."""
    rows = [row for one in results for row in one.rows]
    table = dict(answer(Result(count=sum(one.count for one in results), rows=rows, tag="")))
    del table["tag"]
    return [table] if "columns" in table else []
