"""Tables as a recording process writes them fast: the DataRows in one piece of bytes, taken apart when it is read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from timetracer_otel.cassette.model import Payload
from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres.responses import ROW, cells

PACKED: Final = "data"
TEXT: Final = 0
_HEADER: Final = struct.Struct("!BIH")
_LENGTH: Final = struct.Struct("!i")
_LAYOUTS_MAX: Final = 256
"""One takes more memory than the row that it was made of."""


def is_packed(table: Mapping[str, Any]) -> bool:
    return PACKED in table


def unpacked(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table with `values` column by column. Raises WireError where the bytes are no rows of these columns."""
    if not is_packed(table):
        return table
    values = columns_of(messages(table), table["formats"])
    return {**{key: value for key, value in table.items() if key != PACKED}, "values": values}


def messages(table: Mapping[str, Any]) -> list[bytes]:
    """The DataRows of a packed table, one by one. Raises WireError where the bytes are no rows of these columns."""
    data, width = table[PACKED], len(table["formats"])
    if not isinstance(data, bytes):
        raise WireError(f"PostgreSQL rows: {type(data).__name__} where bytes belong")
    found: list[bytes] = []
    layouts: dict[int, _Layout] = {}
    at, header = 0, _HEADER.unpack_from
    try:
        while at < len(data):
            kind, size, values = header(data, at)
            if kind != ROW or values != width:
                raise WireError(f"PostgreSQL rows: no row of {width} columns at byte {at}")
            # Rows of one size have mostly one layout, which is then checked in one step.
            layout = layouts.get(size)
            if layout is None or layout.lengths(data, at) != layout.expected:
                layout = _layout(data, at, at + 1 + size, width)
                if len(layouts) < _LAYOUTS_MAX:
                    layouts[size] = layout
            found.append(data[at : at + 1 + size])
            at += 1 + size
    except struct.error:
        raise WireError("PostgreSQL rows: cut") from None
    if len(found) != table["rows"]:
        raise WireError(f"PostgreSQL rows: {len(found)} where {table['rows']} belong")
    return found


class _Layout(NamedTuple):
    """The lengths of the values of a row, -1 for NULL, and what reads them where they then are."""

    expected: tuple[int, ...]
    lengths: Callable[[bytes, int], tuple[int, ...]]


def _layout(data: bytes, start: int, end: int, width: int) -> _Layout:
    """Of the row in that place. Raises WireError if its values do not end where it does."""
    at, lengths = start + _HEADER.size, []
    for _ in range(width):
        (length,) = _LENGTH.unpack_from(data, at)
        at += 4 + max(length, 0)
        lengths.append(length)
    if at != end or end > len(data) or min(lengths, default=0) < -1:
        raise WireError(f"PostgreSQL rows: the row at byte {start} ends at {end}, its values at {at}")
    reading = "".join(f"i{max(length, 0)}x" for length in lengths)
    return _Layout(tuple(lengths), struct.Struct(f"!{_HEADER.size}x{reading}").unpack_from)


def all_unpacked(result: Payload) -> Payload:
    """The result of an exchange without packed tables. Raises WireError."""
    answers: Any = result.get("results") or ()
    if not any(isinstance(one, Mapping) and is_packed(one) for one in answers):
        return result
    return {**result, "results": [unpacked(one) for one in answers]}


def columns_of(rows: Sequence[bytes], formats: Sequence[int]) -> list[list[str | bytes | None]]:
    """Of DataRows. Raises WireError."""
    return columns([cells(row) for row in rows], formats)


def columns(rows: Sequence[Sequence[bytes | None]], formats: Sequence[int]) -> list[list[str | bytes | None]]:
    """Column by column, text as str where it is UTF-8."""
    if TEXT not in formats and {len(formats)}.issuperset(map(len, rows)) and rows:
        return [list(column) for column in zip(*rows, strict=True)]
    return [_column([row[at] for row in rows], form) for at, form in enumerate(formats)]


def _column(values: list[bytes | None], form: int) -> list[str | bytes | None]:
    return [value if value is None or form != TEXT else _text(value) for value in values]


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
