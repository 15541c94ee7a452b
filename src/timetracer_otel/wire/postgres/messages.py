"""What a server says: every backend message that replay needs, as bytes.

Source: PostgreSQL protocol 3.0, "Message Formats" and "Error and Notice Message Fields".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_LENGTH: Final = struct.Struct("!i")
_HEADER: Final = struct.Struct("!cI")
_ROW_HEADER: Final = struct.Struct("!cIH")
_COLUMN: Final = struct.Struct("!IhIhih")

NULL: Final = b"\xff\xff\xff\xff"
"""A cell of a DataRow that holds NULL."""

AUTHENTICATION_OK: Final = b"R\0\0\0\x08\0\0\0\0"
PARSE_COMPLETE: Final = b"1\0\0\0\x04"
BIND_COMPLETE: Final = b"2\0\0\0\x04"
CLOSE_COMPLETE: Final = b"3\0\0\0\x04"
NO_DATA: Final = b"n\0\0\0\x04"
EMPTY_QUERY: Final = b"I\0\0\0\x04"
COPY_DONE: Final = b"c\0\0\0\x04"
PORTAL_SUSPENDED: Final = b"s\0\0\0\x04"
REFUSE_ENCRYPTION: Final = b"N"
"""The one untagged byte that answers SSLRequest and GSSENCRequest."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a RowDescription, as recorded."""

    name: str
    oid: int
    size: int = -1
    modifier: int = -1
    table: int = 0
    attribute: int = 0


@dataclass(frozen=True, slots=True)
class Notification:
    """What NOTIFY sends to those who LISTEN; `pid` is the sender's."""

    pid: int
    channel: str
    payload: str


def message(kind: bytes, body: bytes) -> bytes:
    """A tagged message; the length counts itself but not the tag."""
    return _HEADER.pack(kind, len(body) + 4) + body


def text(value: str) -> bytes:
    """NUL-terminated. Surrogates stand for bytes that were not UTF-8 when the client sent them."""
    return value.encode("utf-8", "surrogateescape") + b"\0"


def parameter_status(name: str, value: str) -> bytes:
    return message(b"S", text(name) + text(value))


def backend_key_data(pid: int, secret: int) -> bytes:
    return message(b"K", struct.pack("!iI", pid, secret))


def negotiate_protocol_version(unknown_options: Sequence[str]) -> bytes:
    """The client asked for more than 3.0: what it must do without."""
    options = b"".join(text(option) for option in unknown_options)
    return message(b"v", struct.pack("!ii", 0, len(unknown_options)) + options)


def ready_for_query(status: str) -> bytes:
    return message(b"Z", status.encode())


def notification_response(pid: int, channel: str, payload: str) -> bytes:
    return message(b"A", struct.pack("!i", pid) + text(channel) + text(payload))


def copy_in_response(overall: int, columns: Sequence[int]) -> bytes:
    return message(b"G", _copy_formats(overall, columns))


def copy_out_response(overall: int, columns: Sequence[int]) -> bytes:
    return message(b"H", _copy_formats(overall, columns))


def _copy_formats(overall: int, columns: Sequence[int]) -> bytes:
    return struct.pack(f"!BH{len(columns)}H", overall, len(columns), *columns)


def copy_data(data: bytes) -> bytes:
    return message(b"d", data)


def command_complete(tag: str) -> bytes:
    return message(b"C", text(tag))


def parameter_description(oids: Sequence[int]) -> bytes:
    return message(b"t", struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def row_description(columns: Sequence[Column], formats: Iterable[int]) -> bytes:
    parts = [struct.pack("!H", len(columns))]
    for column, fmt in zip(columns, formats, strict=True):
        parts.append(text(column.name))
        parts.append(
            _COLUMN.pack(column.table, column.attribute, column.oid, column.size, column.modifier, fmt),
        )
    return message(b"T", b"".join(parts))


def cell(value: bytes) -> bytes:
    """One value of a DataRow with its length before it."""
    return _LENGTH.pack(len(value)) + value


def data_rows(columns: Sequence[Sequence[bytes]], count: int) -> list[bytes]:
    """One DataRow per row from columns of cells; `count` tells the rows of a table without columns."""
    width = len(columns)
    if not width:
        return [_ROW_HEADER.pack(b"D", 6, 0)] * count
    pack, join = _ROW_HEADER.pack, b"".join
    rows: list[bytes] = []
    for cells in zip(*columns, strict=True):
        body = join(cells)
        rows.append(pack(b"D", len(body) + 6, width) + body)
    return rows


def error_response(fields: Mapping[str, str]) -> bytes:
    return message(b"E", _fields(fields))


def notice_response(fields: Mapping[str, str]) -> bytes:
    return message(b"N", _fields(fields))


def _fields(fields: Mapping[str, str]) -> bytes:
    """One-letter codes with their texts. NUL ends a text, so one inside a field would make the rest another field."""
    parts = [code.encode("ascii") + text(value.replace("\0", "")) for code, value in fields.items()]
    return b"".join(parts) + b"\0"


def problem(sqlstate: str, summary: str, severity: str = "ERROR") -> dict[str, str]:
    """Fields of an error or a notice of our own."""
    return {"S": severity, "V": severity, "C": sqlstate, "M": summary}
