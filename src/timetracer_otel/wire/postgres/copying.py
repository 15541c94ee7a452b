"""COPY: its rows as they are compared, and the state of one COPY FROM STDIN while its data comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from timetracer_otel.config import MIB
from timetracer_otel.wire.postgres.answers import Copied, CopyFormats, Statement

ROWS_MAX: Final = 1000
"""Rows that stand apart from each other; what comes after them is one piece."""
COPY_MAX_BYTES: Final = 32 * MIB
"""That are kept of what a client copies in: more than this no recording holds."""
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_HEADER_SIZE: Final = 19


def copy_rows(data: bytes, is_binary: bool) -> list[bytes]:
    """`data` cut into its rows, whatever the pieces were in which it travelled; joined they are `data` again.

    Of binary data the header and the trailer are pieces too. Source: SQL Command COPY, "File Formats".
    """
    ends = _binary_ends(data) if is_binary else _line_ends(data)
    starts = [0, *ends]
    rows = [data[start:end] for start, end in zip(starts, ends, strict=False)]
    return [*rows, data[starts[-1] :]] if starts[-1] < len(data) else rows


def _line_ends(data: bytes) -> list[int]:
    ends: list[int] = []
    while len(ends) < ROWS_MAX and (at := data.find(b"\n", ends[-1] if ends else 0)) >= 0:
        ends.append(at + 1)
    return ends


def _binary_ends(data: bytes) -> list[int]:
    """Where the header and each row end; none after something that is not a row."""
    if not data.startswith(_SIGNATURE) or len(data) < _HEADER_SIZE:
        return []
    ends = [_HEADER_SIZE + int.from_bytes(data[15:_HEADER_SIZE], "big")]
    while len(ends) < ROWS_MAX and (end := _row_end(data, ends[-1])) is not None:
        ends.append(end)
    return ends if ends[-1] <= len(data) else []


def _row_end(data: bytes, at: int) -> int | None:
    count = int.from_bytes(data[at : at + 2], "big", signed=True)
    at += 2
    for _ in range(count):
        size = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4 + max(size, 0)
        if at > len(data):
            return None
    return at if count >= 0 and at <= len(data) else None


@dataclass(slots=True)
class CopyIn:
    """One COPY FROM STDIN under way."""

    sql: str
    formats: CopyFormats
    _pieces: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= COPY_MAX_BYTES:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    def statement(self, failed: str | None = None) -> Statement:
        """COPY with all that came; `failed` says why the client gave it up."""
        data = b"".join(self._pieces) if self._size <= COPY_MAX_BYTES else None
        copied = Copied(data, self._size, bool(self.formats.overall), failed)
        return Statement(self.sql, is_simple=True, copied=copied)
