"""A recorded table as DataRows in the formats that a client asked for.

What was recorded in the format asked for goes out as the same bytes; else it is converted exactly, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres.conversion import Style
from timetracer_otel.wire.postgres.messages import NULL, cell, data_rows
from timetracer_otel.wire.postgres.recorded import BINARY, TEXT, Table, octets
from timetracer_otel.wire.postgres.types import to_binary, to_text

_LENGTHS: Final = tuple(length.to_bytes(4, "big") for length in range(256))
"""Most values are short: their length before them comes from here."""


def rows(table: Table, formats: Sequence[int], style: Style) -> Sequence[bytes]:
    """One DataRow per row. Raises Unconvertible naming the column."""
    if table.messages is not None and table.formats == tuple(formats):
        return table.messages
    columns = zip(table.values, formats, strict=True)
    return data_rows([_cells(table, index, *column, style) for index, column in enumerate(columns)], table.count)


def _cells(table: Table, index: int, values: Sequence[Any], wanted: int, style: Style) -> list[bytes]:
    column = table.columns[index]
    try:
        if table.formats[index] == TEXT == wanted:
            return _texts(values)
        convert = _converter(column.oid, table.formats[index], wanted, table.is_readable, style)
        return [NULL if value is None else cell(convert(value)) for value in values]
    except (Unconvertible, TypeError, UnicodeError) as error:
        raise Unconvertible(f'column {index + 1} "{column.name}", {error}') from None


def _texts(values: Sequence[Any]) -> list[bytes]:
    """The usual case, text as text, without a call per cell."""
    lengths = _LENGTHS
    return [
        NULL if value is None
        else lengths[len(raw)] + raw
        if len(raw := value.encode() if type(value) is str else octets(value)) < 256
        else cell(raw)
        for value in values
    ]  # fmt: skip


def _converter(oid: int, recorded: int, wanted: int, is_readable: bool, style: Style) -> Callable[[Any], bytes]:
    """From a recorded value that is not NULL to the bytes in the format `wanted`."""

    def raw(value: Any) -> bytes:
        if recorded == BINARY and is_readable and isinstance(value, str):
            return to_binary(oid, value)
        return octets(value)

    if recorded == wanted:
        return raw
    if wanted == TEXT:
        return lambda value: to_text(oid, raw(value), style).encode("utf-8", "surrogateescape")
    return lambda value: to_binary(oid, value if isinstance(value, str) else octets(value).decode(), style)
