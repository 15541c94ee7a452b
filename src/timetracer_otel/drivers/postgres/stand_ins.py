"""What stands for one secret value, in the type and the format that it has: the driver must be able to read it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final, TypeAlias, cast

from timetracer_otel.redaction import MARKER, Redactor, counting
from timetracer_otel.wire.postgres.scalars import bytea_binary

Cell: TypeAlias = "str | bytes | None"

BOOL, BYTEA, JSON, JSONB, UUID, DATE = 16, 17, 114, 3802, 2950, 1082
INTEGERS: Final = {21: "int2", 23: "int4", 20: "int8"}
SIZES: Final = {21: 2, 23: 4, 20: 8}
NUMBERS: Final = frozenset({1700, 700, 701, 26})  # numeric, float4, float8, oid
TEXT_ARRAYS: Final = {1009: 25, 1015: 1043}
MOMENTS: Final = frozenset({BOOL, 1083, 1114, 1184, 1186, 1266})
"""Types that are no secret whatever the name: bool, times, intervals."""
DAY_0: Final = date(2000, 1, 1)
"""Of dates in binary form."""
PLAIN: Final = frozenset(INTEGERS) | NUMBERS | MOMENTS | {UUID, DATE}
"""Types in which no pattern can be."""


def by_name(value: Cell, rule: str, oid: int, form: int, redactor: Redactor) -> Cell:
    """What stands for a value under a secret name, in the same type and format."""
    counted = counting(rule, value)
    if counted is None:
        return by_pattern(value, oid, form, redactor)
    rule = counted
    if not value or oid in MOMENTS:
        return value
    if oid in INTEGERS or oid in NUMBERS:
        return _integer(value, rule, oid, form, redactor)
    if oid == UUID:
        return _uuid(value, rule, redactor)
    if oid == DATE:
        return _date(value, rule, redactor)
    marker = redactor.marker(rule, value)
    if oid in (JSON, JSONB):
        return _same_kind(value, f'"{marker}"', b"\1" if oid == JSONB and form else b"")
    if oid in TEXT_ARRAYS:
        return _array_of_one(value, marker, TEXT_ARRAYS[oid], form)
    if oid == BYTEA and isinstance(value, str):
        return "\\x" + marker.encode().hex() if value.startswith("\\x") else marker
    return _same_kind(value, marker)


def known_rule(value: Cell, redactor: Redactor) -> str | None:
    """The rule by which this very value was masked before in its trace, under another name."""
    known = redactor.known()
    marker = known.get(octets(value)) if known and value else None
    match = MARKER.fullmatch(marker.decode()) if marker is not None else None
    return match[1] if match is not None else None


def by_pattern(value: Cell, oid: int, form: int, redactor: Redactor) -> Cell:
    """A value with what looks like a secret masked: names count inside JSON."""
    if not value or oid in PLAIN:
        return value
    if oid in (JSON, JSONB):
        return _json(value, b"\1" if oid == JSONB and form else b"", redactor)
    if oid == BYTEA:
        return _bytes(value, redactor)
    if isinstance(value, str):
        return redactor.text(value)
    # Binary arrays, ranges and composites hold the lengths of their parts.
    return value if oid in TEXT_ARRAYS else redactor.data(value)


def visible(cells: Sequence[Cell], oid: int) -> Sequence[Cell]:
    """The cells of a column as patterns see them: of bytes in hexadecimal the bytes."""
    return [cell and _bytes_of(cell) for cell in cells] if oid == BYTEA else cells


def _bytes_of(value: str | bytes) -> bytes:
    try:
        return value if isinstance(value, bytes) else bytea_binary(value)
    except ValueError:  # whoever sent it did not know better
        return octets(value)


def _bytes(value: str | bytes, redactor: Redactor) -> Cell:
    data = _bytes_of(value)
    masked = redactor.data(data)
    if masked == data:
        return value
    return masked if isinstance(value, bytes) else f"\\x{masked.hex()}"


def _json(value: str | bytes, prefix: bytes, redactor: Redactor) -> Cell:
    data = octets(value).removeprefix(prefix)
    masked, _ = redactor.body(data, "application/json", "", "")
    return value if masked == data else _same_kind(value, masked.decode("utf-8", "surrogateescape"), prefix)


def _integer(value: str | bytes, rule: str, oid: int, form: int, redactor: Redactor) -> Cell:
    if form and oid not in SIZES:
        return value
    number = redactor.stand_in(rule, octets(value), cast(Any, INTEGERS.get(oid, "int4")))
    if not isinstance(number, int):
        return value
    return number.to_bytes(SIZES[oid], "big", signed=True) if form else str(number)


def _uuid(value: str | bytes, rule: str, redactor: Redactor) -> Cell:
    if isinstance(value, bytes):
        return redactor.stand_in(rule, value, "uuid")
    try:
        known = bytes.fromhex(value.strip("{}").replace("-", ""))
    except ValueError:
        return redactor.marker(rule, value)
    digits = redactor.stand_in(rule, known, "uuid").hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _date(value: str | bytes, rule: str, redactor: Redactor) -> Cell:
    """A day of 2000 to 2089 for one that is somebody's."""
    days = redactor.stand_in(rule, octets(value), "int2")
    if isinstance(value, bytes) and len(value) == SIZES[23]:
        return days.to_bytes(SIZES[23], "big")
    return _same_kind(value, (DAY_0 + timedelta(days)).isoformat())


def _array_of_one(value: str | bytes, marker: str, element: int, form: int) -> Cell:
    if not form:
        return value if value == "{}" else f'{{"{marker}"}}'
    data = marker.encode()
    return struct.pack("!iiIiii", 1, 0, element, 1, 1, len(data)) + data


def _same_kind(value: str | bytes, text: str, prefix: bytes = b"") -> Cell:
    return text if isinstance(value, str) else prefix + text.encode("utf-8", "surrogateescape")


def octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
