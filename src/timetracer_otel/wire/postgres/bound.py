"""Bind and Execute as a driver sends them for a prepared statement, read in one go, which the reader takes long for."""

from __future__ import annotations

import struct
from typing import Final

from timetracer_otel.wire.postgres.requests import Bind, Execute

_BIND, _EXECUTE = b"BE"
_HEADER_SIZE: Final = 5
_COUNT: Final = struct.Struct("!H")
_CODES: Final = frozenset({0, 1})


def bound(data: bytes) -> tuple[Bind, Execute] | None:
    """What `data` begins with; None if that is anything else: `FrontendReader` says what it is, and what is wrong."""
    try:
        bind, end = _bind(data)
        execute = None if bind is None else _execute(data, end)
    except (IndexError, ValueError, struct.error):
        return None
    return None if bind is None or execute is None else (bind, execute)


def _bind(data: bytes) -> tuple[Bind | None, int]:
    end = 1 + int.from_bytes(data[1:_HEADER_SIZE], "big")
    portal_end = data.index(0, _HEADER_SIZE)
    name_end = data.index(0, portal_end + 1)
    formats, at = _codes(data, name_end + 1)
    (count,), at = _COUNT.unpack_from(data, at), at + _COUNT.size
    values: list[bytes | None] = []
    for _ in range(count):
        size, at = int.from_bytes(data[at : at + 4], "big", signed=True), at + 4
        values.append(data[at : at + size] if size >= 0 else None)
        at += size if size >= 0 else 0 if size == -1 else len(data)
    result_formats, at = _codes(data, at)
    if data[0] != _BIND or at != end or len(formats) not in (0, 1, count):
        return None, end
    if len(formats) != count:
        formats = (formats or (0,)) * count
    portal, name = data[_HEADER_SIZE:portal_end], data[portal_end + 1 : name_end]
    if not _CODES.issuperset(formats) or not _CODES.issuperset(result_formats):  # one for all of no value is no fault
        return None, end
    return Bind(_text(portal), _text(name), formats, tuple(values), result_formats), end


def _codes(data: bytes, at: int) -> tuple[tuple[int, ...], int]:
    """Format codes, and where they end."""
    (count,) = _COUNT.unpack_from(data, at)
    return struct.unpack_from(f"!{count}H", data, at + 2), at + 2 + 2 * count


def _execute(data: bytes, start: int) -> Execute | None:
    end = start + 1 + int.from_bytes(data[start + 1 : start + _HEADER_SIZE], "big")
    portal_end = data.index(0, start + _HEADER_SIZE)
    if data[start] != _EXECUTE or portal_end + 5 != end or end > len(data):
        return None
    max_rows = int.from_bytes(data[portal_end + 1 : end], "big", signed=True)
    return Execute(_text(data[start + _HEADER_SIZE : portal_end]), max_rows)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
