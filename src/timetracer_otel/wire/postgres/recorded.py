"""A recorded exchange (`docs/cassette-format.md`, "db.query") as values that the backend and the comparison work with.

Its result stands in wire form (columns of bytes, of str where the format is text, or all rows packed in one) or in
readable form (rows of text).
A cassette may be a stranger's: what has not the shape that it should have raises DamagedCassette, nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import NoneType
from typing import Any, Final

from timetracer_otel.cassette.model import Payload
from timetracer_otel.errors import DamagedCassette, WireError
from timetracer_otel.wire.postgres.answers import Copied, CopyFormats, Parameter
from timetracer_otel.wire.postgres.messages import (
    Column,
    Notification,
    command_complete,
    copy_in_response,
    error_response,
    notification_response,
    parameter_status,
    row_description,
)
from timetracer_otel.wire.postgres.packed import columns_of, is_packed, messages

TEXT, BINARY = 0, 1

EMPTY_ROWS_MAX: Final = 1 << 20
"""Rows without columns are a mere number in the cassette, and memory here."""
MALFORMED_PAYLOAD: Final = (AttributeError, LookupError, OverflowError, TypeError, ValueError, struct.error, WireError)
"""What reading a payload raises that has not the shape of an exchange."""
VALUE_TYPES: Final = (str, bytes, NoneType)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one statement as recorded: `stored` column by column, or the `messages` of the server.

    `is_readable`: a str in a binary column is its text form.
    """

    columns: tuple[Column, ...]
    formats: tuple[int, ...]
    stored: tuple[Sequence[Any], ...]
    count: int
    is_readable: bool
    messages: Sequence[bytes] | None = None

    @property
    def values(self) -> tuple[Sequence[Any], ...]:
        """Column by column. Of messages they are read anew each time."""
        return self.stored if self.messages is None else tuple(columns_of(self.messages, self.formats))


@dataclass(frozen=True, slots=True)
class Result:
    """What one statement gave. `tag` is empty for an empty query; None where the server sent none."""

    table: Table | None
    tag: str | None
    has_more: bool = False
    """Of a cursor that was not read to its end, or where the server stopped at a limit of rows."""


@dataclass(frozen=True, slots=True)
class CopyOut:
    """What COPY TO STDOUT gave, in the pieces in which the server sent it."""

    formats: CopyFormats
    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The server's whole answer: results in order, then perhaps an error."""

    results: tuple[Result, ...]
    error: Mapping[str, str] | None
    notices: tuple[Mapping[str, str], ...]
    copy: CopyOut | None = None
    notifications: tuple[Notification, ...] = ()
    is_lost: bool = False
    """Then the connection broke."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Reported with the answer, since they changed."""

    @property
    def is_refused(self) -> bool:
        """The columns were known and no row was asked for: the error came with the values, before anything ran."""
        first = self.results[0] if self.error is not None and self.results else None
        return first is not None and first.table is not None and not (first.table.count or first.tag or first.has_more)


def at_limit(answer: Recorded) -> Recorded:
    """Of a statement that was run for fewer rows than all: where no tag came, the server had stopped at the limit."""
    if answer.error is not None or answer.is_lost:
        return answer
    results = (replace(each, has_more=each.table is not None and each.tag is None) for each in answer.results)
    return replace(answer, results=tuple(results))


def recorded(payload: Payload) -> Recorded:
    """Of the result of an exchange. Raises DamagedCassette."""
    try:
        data: Mapping[str, Any] = payload
        error = data.get("error")
        return Recorded(
            results=tuple(_result(result) for result in data.get("results") or ()),
            error=_fields(error) if error else None,
            notices=tuple(_fields(notice) for notice in data.get("notices") or ()),
            copy=_copy_out(data["copy"]) if data.get("copy") else None,
            notifications=tuple(_notification(each) for each in data.get("notifications") or ()),
            is_lost="lost" in data,
            settings=_settings(data.get("settings") or {}),
        )
    except MALFORMED_PAYLOAD as error:
        raise DamagedCassette("result of a db.query", f"{type(error).__name__}: {error}") from None


def parameters(payload: Payload) -> tuple[Parameter, ...]:
    """Of the request of an exchange, as the driver sent them. Raises DamagedCassette."""
    try:
        data: Mapping[str, Any] = payload
        values = data.get("parameters") or ()
        types, formats = (
            data.get("parameter_types") or [0] * len(values),
            data.get("parameter_formats") or [0] * len(values),
        )
        return tuple(
            Parameter(_oid(oid), int(fmt), None if value is None else octets(value))
            for oid, fmt, value in zip(types, formats, values, strict=True)
        )
    except MALFORMED_PAYLOAD as error:
        raise DamagedCassette("request of a db.query", f"{type(error).__name__}: {error}") from None


def copied(payload: Payload) -> tuple[CopyFormats, Copied] | None:
    """Of the request of an exchange: what COPY FROM STDIN was given, None for anything else. Raises DamagedCassette."""
    try:
        data: Mapping[str, Any] = payload
        copy = data.get("copy")
        if copy is None:
            return None
        formats, failed = _copy_formats(copy), copy.get("failed")
        sent = None if copy.get("data") is None else b"".join(octets(piece) for piece in copy["data"])
        size, failed = len(sent or b""), None if failed is None else str(failed)
        return formats, Copied(sent, size, bool(formats.overall), failed)
    except MALFORMED_PAYLOAD as error:
        raise DamagedCassette("request of a db.query", f"{type(error).__name__}: {error}") from None


def _notification(data: Mapping[str, Any]) -> Notification:
    found = Notification(int(data["pid"]), str(data["channel"]), str(data["payload"]))
    notification_response(found.pid, found.channel, found.payload)  # raises for what cannot be sent
    return found


def _settings(data: Mapping[str, Any]) -> dict[str, str]:
    found = {str(name): str(value) for name, value in data.items()}
    for name, value in found.items():
        parameter_status(name, value)  # raises for what cannot be sent
    if any("\0" in text for text in (*found, *found.values())):
        raise ValueError("a setting with a NUL")
    return found


def _copy_out(data: Mapping[str, Any]) -> CopyOut:
    return CopyOut(_copy_formats(data), tuple(octets(piece) for piece in data["data"]))


def _copy_formats(data: Mapping[str, Any]) -> CopyFormats:
    formats = CopyFormats(int(data["format"]), tuple(int(fmt) for fmt in data["formats"]))
    if any(fmt not in (TEXT, BINARY) for fmt in (formats.overall, *formats.columns)):
        raise ValueError("a format of COPY that is neither text nor binary")
    copy_in_response(formats.overall, formats.columns)  # raises for what cannot be sent
    return formats


def _oid(value: Any) -> int:
    oid = int(value)
    if not 0 <= oid < 1 << 32:
        raise ValueError("a type number out of range")
    return oid


def octets(value: Any) -> bytes:
    """The bytes of a recorded value: text-format values stand as str where they are UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    raise TypeError(f"{type(value).__name__} where a value belongs")


def _result(data: Mapping[str, Any]) -> Result:
    tag = data.get("tag")
    if tag is not None:
        command_complete(tag)  # raises for what cannot be sent
    return Result(_table(data) if "columns" in data else None, tag, bool(data.get("more")))


def _table(data: Mapping[str, Any]) -> Table:
    columns = tuple(_column(column) for column in data["columns"])
    formats = tuple(int(fmt) for fmt in data["formats"])
    if len(formats) != len(columns) or any(fmt not in (TEXT, BINARY) for fmt in formats):
        raise ValueError(f"{len(columns)} columns with {len(formats)} formats, or one that is neither text nor binary")
    if is_packed(data):
        rows = messages(data)
        return Table(columns, formats, (), len(rows), is_readable=False, messages=rows)
    is_readable = "values" not in data
    count = len(data["rows"]) if is_readable else int(data["rows"])
    values = (
        tuple(zip(*data["rows"], strict=True))
        if is_readable and count
        else tuple(data.get("values") or [()] * len(columns))
    )
    if not columns and not 0 <= count <= EMPTY_ROWS_MAX:
        raise ValueError(f"{count} rows without columns")
    if len(values) != len(columns) or any(len(column) != count for column in values):
        raise ValueError(f"{len(columns)} columns, {count} rows and values that do not fit")
    for kind in set(chain.from_iterable(map(type, column) for column in values)):
        if not issubclass(kind, VALUE_TYPES):  # told here, and not to whoever is the first to look at that value
            raise TypeError(f"{kind.__name__} where a value belongs")
    return Table(columns, formats, values, count, is_readable)


def _column(data: Mapping[str, Any]) -> Column:
    column = Column(
        name=str(data["name"]),
        oid=int(data["oid"]),
        size=int(data.get("size", -1)),
        modifier=int(data.get("mod", -1)),
        table=int(data.get("table", 0)),
        attribute=int(data.get("attnum", 0)),
    )
    row_description((column,), (TEXT,))  # raises for what cannot be sent
    return column


def _fields(data: Mapping[str, Any]) -> dict[str, str]:
    fields = {str(code): str(text) for code, text in data.items()}
    if any(len(code) != 1 or not code.isascii() or code == "\0" for code in fields):
        raise ValueError("an error field whose code is not one letter")
    if not {"C", "M"} <= fields.keys():
        raise ValueError("an error without its code or message")
    error_response(fields)  # raises for what cannot be sent
    return fields
