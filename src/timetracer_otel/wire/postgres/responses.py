"""What a server said, from its bytes: the answer to one request as results, error, notices and status.

The opposite of `messages`. Used on captured bytes, which are whole: what is cut off at their end is left out.
Source: PostgreSQL protocol 3.0, "Message Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from timetracer_otel.cassette.pieces import SMALL_PIECE_BYTES, cut
from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres.messages import Column, Notification

_HEADER: Final = struct.Struct("!BI")
_COLUMN: Final = struct.Struct("!IhIhih")
_INT16: Final = struct.Struct("!h")
_MALFORMED: Final = (IndexError, ValueError, struct.error)

ROW, COMPLETE, EMPTY, SUSPENDED, ERROR, NOTICE, READY = b"DCIsENZ"
READY_BEGIN: Final = bytes([READY, 0, 0, 0, 5])
"""Its status is all that follows."""
ERROR_BEGIN: Final = bytes([ERROR, 0])
"""Its length is below 16 MiB. Found quickly where it is not: rows are many, and to walk over them costs by the row."""
COPY_IN, COPY_OUT, COPY_DATA = b"GHd"
NOTIFICATION = ord("A")
NOTIFICATION_BEGIN: Final = bytes([NOTIFICATION, 0])
ROW_DESCRIPTION, PARAMETER_DESCRIPTION, PARAMETER_STATUS = b"TtS"


@dataclass(slots=True)
class Result:
    """Of one statement. `rows` are DataRow messages as received, one after the other in each piece."""

    columns: Sequence[Column] | None = None
    formats: Sequence[int] = ()
    count: int = 0
    rows: list[bytes] = field(default_factory=list)
    tag: str | None = None
    """None where the server stopped at the limit of rows that it was given."""

    @property
    def is_empty(self) -> bool:
        return self.columns is None and self.tag is None and not self.count


@dataclass(slots=True)
class Copy:
    """COPY under way: `kind` says in which direction, `pieces` what the server gave."""

    kind: int
    overall: int
    formats: tuple[int, ...]
    pieces: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Response:
    """`error` ends it: what the server would have done after that it did not."""

    results: list[Result] = field(default_factory=list)
    error: Mapping[str, str] | None = None
    notices: list[Mapping[str, str]] = field(default_factory=list)
    status: str | None = None
    copy: Copy | None = None
    notifications: list[Notification] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    """ParameterStatus by name."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What Describe said of a statement. `columns` is None where it gives no rows."""

    parameters: tuple[int, ...] = ()
    columns: tuple[Column, ...] | None = None


def spans(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(kind, start, end) of each whole message, its header included. Raises WireError for an impossible length."""
    at, size = 0, len(data)
    while at + _HEADER.size <= size:
        kind, length = _HEADER.unpack_from(data, at)
        if length < 4:
            raise WireError(f"PostgreSQL server message {chr(kind)!r}: length {length} is below 4")
        if at + 1 + length > size:
            return
        yield kind, at, at + 1 + length
        at += 1 + length


def may_end(chunks: Sequence[bytes]) -> bool:
    """False if the last of these chunks surely does not end an answer: for who asks about each one as it comes."""
    most = len(READY_BEGIN)
    if not chunks:
        return False
    ends = b"".join(chunk[-most:] for chunk in chunks[-most - 1 : -1])
    return READY_BEGIN in chunks[-1] or READY_BEGIN in ends + chunks[-1][: most - 1]


def is_ended(data: bytes) -> bool:
    """True if the server is ready for the next request at the end of `data`."""
    last = 0
    for kind, _, _ in spans(data):
        last = kind if kind in b"ZDCEsIGHc" else last
    return last == READY


def response(data: bytes) -> Response:
    """All that `data` says. Raises WireError."""
    heard, current = Response(), Result()
    for kind, start, end, count in _messages(data):
        if kind == ROW:
            current.rows.append(cut(data, start, end))
            current.count += count
        elif kind == ROW_DESCRIPTION:
            current.columns, current.formats = row_description(data[start + 5 : end])
        elif kind in (COMPLETE, EMPTY):
            current.tag = text(data[start + 5 : end - 1]) if kind == COMPLETE else ""
            heard.results.append(current)
            current = Result()
        elif kind == ERROR:
            heard.error = fields(data[start + 5 : end])
        elif kind == NOTICE:
            heard.notices.append(fields(data[start + 5 : end]))
        elif kind == NOTIFICATION:
            heard.notifications.append(notification(data[start + 5 : end]))
        elif kind == PARAMETER_STATUS:
            heard.settings.update(statuses(data[start:end]))
        elif kind in (COPY_IN, COPY_OUT):
            heard.copy = _copy(kind, data[start + 5 : end])
        elif kind == COPY_DATA and heard.copy is not None:
            heard.copy.pieces.append(data[start + 5 : end])
        elif kind == READY:
            heard.status = chr(data[end - 1])
    if not current.is_empty:
        heard.results.append(current)
    return heard


def _messages(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(kind, start, end, count): as `spans`, but rows that follow each other are one."""
    at, last = 0, len(data) - _HEADER.size
    while at <= last:
        kind, length = _HEADER.unpack_from(data, at)
        if length < 4:
            raise WireError(f"PostgreSQL server message {chr(kind)!r}: length {length} is below 4")
        end, count = _end_of_rows(data, at) if kind == ROW else (at + 1 + length, 1)
        if end > len(data) or not count:
            return
        yield kind, at, end, count
        at = end


def _end_of_rows(data: bytes, at: int) -> tuple[int, int]:
    """Where the rows that begin here end, without one that is cut, and how many they are: nearly all of most answers
    is walked over here."""
    count, before, last, unpack = 0, at, len(data) - _HEADER.size, _HEADER.unpack_from
    while at <= last:
        kind, length = unpack(data, at)
        if kind != ROW or length < 4:
            break
        before, at = at, at + 1 + length
        count += 1
    return (at, count) if at <= len(data) else (before, count - 1)


def shape(data: bytes) -> Shape:
    """Of the answer to Describe of a statement. Raises WireError."""
    parameters: tuple[int, ...] = ()
    columns: tuple[Column, ...] | None = None
    for kind, start, end in spans(data):
        if kind == PARAMETER_DESCRIPTION:
            parameters = _oids(data[start + 5 : end])
        elif kind == ROW_DESCRIPTION:
            columns = tuple(row_description(data[start + 5 : end])[0])
    return Shape(parameters, columns)


def statuses(data: bytes) -> dict[str, str]:
    """ParameterStatus by name, the last of each. Raises WireError."""
    said = [data[start + 5 : end].split(b"\0") for kind, start, end in spans(data) if kind == PARAMETER_STATUS]
    if any(len(parts) != 3 for parts in said):
        raise WireError("PostgreSQL ParameterStatus: not a name and a value; was the capture cut?")
    return {text(name): text(value) for name, value, _ in said}


def row_description(body: bytes) -> tuple[list[Column], list[int]]:
    """Columns and their formats. Raises WireError."""
    try:
        (count,) = _INT16.unpack_from(body)
        columns, formats, at = [], [], 2
        for _ in range(count):
            end = body.index(b"\0", at)
            table, attribute, oid, size, modifier, form = _COLUMN.unpack_from(body, end + 1)
            columns.append(Column(text(body[at:end]), oid, size, modifier, table, attribute))
            formats.append(form)
            at = end + 1 + _COLUMN.size
    except _MALFORMED:
        raise WireError("PostgreSQL RowDescription: not of its shape; was the capture cut?") from None
    return columns, formats


def cells(row: bytes) -> list[bytes | None]:
    """The values of a DataRow message with its header. Raises WireError."""
    try:
        (count,) = _INT16.unpack_from(row, 5)
        if 7 + 4 * count > len(row):
            raise ValueError
        found: list[bytes | None] = []
        at = 7
        for _ in range(count):
            length = int.from_bytes(row[at : at + 4], "big", signed=True)
            at += 4
            end = at + length
            found.append(None if length < 0 else row[at:end] if length <= SMALL_PIECE_BYTES else cut(row, at, end))
            at += max(length, 0)
    except _MALFORMED:
        raise WireError("PostgreSQL DataRow: not of its shape; was the capture cut?") from None
    if at != len(row):
        raise WireError(f"PostgreSQL DataRow: {len(row)} bytes, its values end at {at}")
    return found


def fields(body: bytes) -> dict[str, str]:
    """Of an error or a notice by their one-letter codes."""
    return {text(part[:1]): text(part[1:]) for part in body.split(b"\0") if part}


def text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def notification(body: bytes) -> Notification:
    channel, payload = body[4:].split(b"\0")[:2] if body.count(b"\0", 4) >= 2 else (b"", b"")
    return Notification(int.from_bytes(body[:4], "big"), text(channel), text(payload))


def _copy(kind: int, body: bytes) -> Copy:
    try:
        overall, count = struct.unpack_from("!BH", body)
        return Copy(kind, overall, struct.unpack(f"!{count}H", body[3:]))
    except struct.error:
        raise WireError("PostgreSQL CopyInResponse or CopyOutResponse: not of its shape") from None


def _oids(body: bytes) -> tuple[int, ...]:
    try:
        return struct.unpack(f"!{len(body[2:]) // 4}I", body[2:])
    except struct.error:
        raise WireError("PostgreSQL ParameterDescription: not of its shape; was the capture cut?") from None
