"""A recorded result for people: rows of PostgreSQL texts where a text gives back the recorded bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timetracer_otel.cassette.model import Payload
from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres.packed import all_unpacked
from timetracer_otel.wire.postgres.recorded import TEXT, recorded
from timetracer_otel.wire.postgres.types import to_binary, to_text


def to_readable(result: Payload) -> Payload:
    """`rows` row by row in place of `values` column by column; idempotent. Raises DamagedCassette."""
    recorded(result)  # of the right shape, or DamagedCassette
    data: Mapping[str, Any] = all_unpacked(result)
    if not data.get("results"):
        return result
    return {**data, "results": [_readable_table(one) if _is_table(one) else one for one in data["results"]]}


def _is_table(one: Mapping[str, Any]) -> bool:
    return "columns" in one and isinstance(one.get("values"), Sequence)


def _readable_table(table: Mapping[str, Any]) -> Mapping[str, Any]:
    columns = [
        [readable(column["oid"], fmt, value) for value in values]
        for column, fmt, values in zip(table["columns"], table["formats"], table["values"], strict=True)
    ]
    rows = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(table["rows"])]
    return {key: rows if key == "rows" else value for key, value in table.items() if key != "values"}


def readable(oid: int, fmt: int, value: str | bytes | None) -> str | bytes | None:
    """The text of one recorded value where it gives back the same bytes; else the value as it is."""
    if fmt == TEXT or not isinstance(value, bytes):
        return value
    try:
        text = to_text(oid, value)
        return text if to_binary(oid, text) == value else value
    except Unconvertible:
        return value
