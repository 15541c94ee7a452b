"""Parameters as they are compared: keys that are equal exactly when the server would not tell the values apart.

Neither the format (text or binary) nor the width of an integer counts, nor the spelling of a moment, a uuid or JSON.
The kind of a value does (`1`, `1.0` and `'1'` are three), and so do the scale of a numeric and every letter of a text.
"""

from __future__ import annotations

import ipaddress
import json
import re
import uuid
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from typing import Any, Final, cast

from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.containers import (
    array_from_binary,
    array_from_text,
    range_from_binary,
    range_from_text,
)
from timetracer_otel.wire.postgres.conversion import MALFORMED
from timetracer_otel.wire.postgres.datetimes import (
    EPOCH_NS,
    SECOND_US,
    instant_us,
    local_us,
    moment,
    time_of_day,
)
from timetracer_otel.wire.postgres.scalars import bytea_binary, float8_text
from timetracer_otel.wire.postgres.types import to_text

TEXT, BINARY = 0, 1
_STRINGS: Final = frozenset(
    {oids.UNDECLARED, oids.TEXT, oids.VARCHAR, oids.BPCHAR, oids.NAME, oids.UNKNOWN, oids.CSTRING}
)
_BOOLS: Final = {"t": True, "true": True, "on": True, "1": True, "yes": True} | {
    "f": False,
    "false": False,
    "off": False,
    "0": False,
    "no": False,
}
# A Decimal such as 1E+999999999 is short to write and long to write out; the server's limit is 131072 digits.
_NUMERIC_DIGITS_MAX: Final = 150_000


def canonical(oid: int, fmt: int, raw: bytes | None) -> Hashable:
    """The key of one parameter: (kind, value); None for NULL. What is not understood is compared by type and bytes."""
    if raw is None:
        return None
    try:
        return _key(oid, fmt, raw)
    except (Unconvertible, RecursionError, *MALFORMED):
        return ("bytes", oid, fmt, raw)


def shown(oid: int, fmt: int, raw: bytes | None) -> str | bytes | None:
    """The value for people: PostgreSQL's text where there is one."""
    if raw is None:
        return None
    try:
        return raw.decode() if fmt == TEXT else to_text(oid, raw)
    except (Unconvertible, UnicodeDecodeError):
        return raw


def instant_ns(oid: int, fmt: int, raw: bytes | None) -> int | None:
    """Nanoseconds since 1970 of a timestamp or a timestamptz; None for all else.

    A clock without an offset is read as UTC. A text is none: every letter of it counts, also where it tells a moment.
    """
    if raw is None or oid not in (oids.TIMESTAMP, oids.TIMESTAMPTZ):
        return None
    try:
        us = _instant_us(raw.decode() if fmt == TEXT else to_text(oid, raw))
    except (Unconvertible, *MALFORMED):
        return None
    return EPOCH_NS + us * 1000


def _instant_us(text: str) -> int:
    if ":" not in text:  # a day is not an instant, nor is infinity
        raise Unconvertible("not a moment")
    us, offset = moment(text)
    return us - (offset or 0) * SECOND_US


def _key(oid: int, fmt: int, raw: bytes) -> Hashable:
    if oid in _STRINGS:
        return ("text", raw) if fmt == TEXT or oid != oids.UNDECLARED else ("bytes", oid, fmt, raw)
    if oid in oids.ARRAYS:
        return ("array", *_array_key(oids.ARRAYS[oid], fmt, raw))
    if oid in oids.RANGES:
        return ("range", *_range_key(oids.RANGES[oid], fmt, raw))
    if oid == oids.BYTEA:
        return ("bytea", raw if fmt == BINARY else bytea_binary(raw.decode("utf-8", "surrogateescape")))
    if oid >= oids.FIRST_USER_OID:  # one driver names the type, another leaves it to the server
        return ("text", to_text(oid, raw).encode() if fmt == BINARY else raw)
    text = to_text(oid, raw) if fmt == BINARY else raw.decode()
    if oid not in _READERS:
        return ("type", oid, text)
    kind, read = _READERS[oid]
    return (kind, read(text))


def _array_key(element: int, fmt: int, raw: bytes) -> tuple[Hashable, ...]:
    if fmt == BINARY:
        element, array = array_from_binary(raw)
        return _kind(element), array.dimensions, tuple(canonical(element, fmt, one) for one in array.elements)
    texts = array_from_text(raw.decode())
    keys = tuple(canonical(element, fmt, None if one is None else one.encode()) for one in texts.elements)
    return _kind(element), texts.dimensions, keys


def _range_key(bound: int, fmt: int, raw: bytes) -> tuple[Hashable, ...]:
    if fmt == BINARY:
        found = range_from_binary(raw)
        return found.flags, canonical(bound, fmt, found.lower), canonical(bound, fmt, found.upper)
    texts = range_from_text(raw.decode())
    lower, upper = (None if one is None else one.encode() for one in (texts.lower, texts.upper))
    return texts.flags, canonical(bound, fmt, lower), canonical(bound, fmt, upper)


def _kind(oid: int) -> Hashable:
    return "text" if oid in _STRINGS else _READERS[oid][0] if oid in _READERS else oid


# ---- texts of one kind, in any spelling that a driver uses -----------------------------------------------------------


def _bool(text: str) -> Hashable:
    return _BOOLS[text.strip().lower()]


def _numeric(text: str) -> Hashable:
    value = Decimal(text.strip())
    if not value.is_finite():
        return str(value)
    if abs(value.adjusted()) + len(value.as_tuple().digits) > _NUMERIC_DIGITS_MAX:
        raise Unconvertible("a numeric beyond the server's limits")
    return format(value if value else value.copy_abs(), "f")


def _float(text: str) -> Hashable:
    return float8_text(float(text))


def _uuid(text: str) -> Hashable:
    return uuid.UUID(text).hex


def _address(text: str) -> Hashable:
    address = ipaddress.ip_interface(text)
    return address.packed, address.network.prefixlen


_UNITS: Final = re.compile(r"([+-]?\d+) (year|month|mon|day|hour|minute|second|microsecond)s?(?: |\Z)", re.ASCII)
_CLOCK: Final = re.compile(r"([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?", re.ASCII)
_UNIT_US: Final = {"hour": 3600 * SECOND_US, "minute": 60 * SECOND_US, "second": SECOND_US, "microsecond": 1}
_UNIT_MONTHS: Final = {"year": 12, "month": 1, "mon": 1}


def _interval(text: str) -> Hashable:
    """(months, days, microseconds) of the server's text and of what psycopg makes of a timedelta."""
    months = days = us = at = 0
    while part := _UNITS.match(text, at):
        amount, unit = int(part[1]), part[2]
        months += amount * _UNIT_MONTHS.get(unit, 0)
        days += amount * (unit == "day")
        us += amount * _UNIT_US.get(unit, 0)
        at = part.end()
    if not text[at:] and at:
        return months, days, us
    clock = _CLOCK.fullmatch(text, at)
    if clock is None:
        raise Unconvertible("an interval in another spelling")
    seconds = (int(clock[2]) * 60 + int(clock[3])) * 60 + int(clock[4])
    clock_us = seconds * SECOND_US + int((clock[5] or "0").ljust(6, "0"))
    return months, days, us + (-clock_us if clock[1] == "-" else clock_us)


def _json(text: str) -> Hashable:
    return _frozen(json.loads(text, object_pairs_hook=_object, parse_int=_number, parse_float=_number))


def _jsonb(text: str) -> Hashable:
    """Of keys that stand twice jsonb keeps the last."""
    pairs_hook = lambda pairs: _object(list(dict(pairs).items()))  # noqa: E731 (a def would hide the one word that differs)
    return _frozen(json.loads(text, object_pairs_hook=pairs_hook, parse_int=_number, parse_float=_number))


def _number(text: str) -> Hashable:
    """As it is written: 1, 1.0 and 1e0 are three in JSON."""
    return ("number", text)


def _object(pairs: list[tuple[str, object]]) -> tuple[str, list[tuple[str, object]]]:
    return ("object", sorted(pairs, key=lambda pair: pair[0]))


def _frozen(value: Any) -> Hashable:
    """Hashable, with arrays told from objects."""
    match value:
        case ("object", list(pairs)):
            return ("object", tuple((name, _frozen(member)) for name, member in pairs))
        case list():
            return ("array", tuple(_frozen(member) for member in value))
        case _:
            return cast("Hashable", value)


_READERS: Final[Mapping[int, tuple[str, Callable[[str], Hashable]]]] = {
    **dict.fromkeys(oids.INTEGERS, ("int", int)),
    **dict.fromkeys((oids.FLOAT4, oids.FLOAT8), ("float", _float)),
    oids.BOOL: ("bool", _bool),
    oids.NUMERIC: ("numeric", _numeric),
    oids.UUID: ("uuid", _uuid),
    oids.JSON: ("json", _json),
    oids.JSONB: ("jsonb", _jsonb),
    oids.DATE: ("date", local_us),
    oids.TIME: ("time", time_of_day),
    oids.TIMETZ: ("timetz", time_of_day),
    oids.TIMESTAMP: ("timestamp", local_us),
    oids.TIMESTAMPTZ: ("timestamptz", instant_us),
    oids.INTERVAL: ("interval", _interval),
    oids.INET: ("inet", _address),
    oids.CIDR: ("cidr", _address),
}
