"""Tables as a recording process writes them fast: the DataRows in one piece of bytes, taken apart when it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from timetracer_otel.cassette.model import Payload
from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres.responses import cells, spans

PACKED: Final = "data"
TEXT: Final = 0


def is_packed(table: Mapping[str, Any]) -> bool:
    return PACKED in table


def unpacked(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table with `values` column by column. Raises WireError where the bytes are no rows of these columns."""
    if not is_packed(table):
        return table
    data = table[PACKED]
    if not isinstance(data, bytes):
        raise WireError(f"PostgreSQL rows: {type(data).__name__} where bytes belong")
    rows = [cells(data[start:end]) for _, start, end in spans(data)]
    formats: Sequence[int] = table["formats"]
    if any(len(row) != len(formats) for row in rows) or len(rows) != table["rows"]:
        raise WireError(f"PostgreSQL rows: not {table['rows']} rows of {len(formats)} columns")
    values = columns(rows, formats)
    return {**{key: value for key, value in table.items() if key != PACKED}, "values": values}


def all_unpacked(result: Payload) -> Payload:
    """The result of an exchange without packed tables. Raises WireError."""
    answers: Any = result.get("results") or ()
    if not any(isinstance(one, Mapping) and is_packed(one) for one in answers):
        return result
    return {**result, "results": [unpacked(one) for one in answers]}


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
