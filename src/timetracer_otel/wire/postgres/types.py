"""Text form <-> binary form of PostgreSQL values by type, without a driver's objects in between.

Exact: `to_binary(oid, to_text(oid, raw)) == raw` and the reverse, or Unconvertible. `to_text` gives the server's text
for the `style` of the session.

A type of the app's own is text in both forms if it is an enum or citext. That cannot be told here: only what is plainly
text goes from binary to text, and nothing back.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.containers import array_conversion, multirange_conversion, range_conversion
from timetracer_otel.wire.postgres.conversion import MALFORMED, Conversion, Style
from timetracer_otel.wire.postgres.datetimes import OIDS as DATETIMES
from timetracer_otel.wire.postgres.datetimes import datetime_conversion
from timetracer_otel.wire.postgres.scalars import SCALARS

UTC: Final = Style()
"""ISO dates in UTC: what readable cassettes are written in."""

# Composites, hstore and the binary forms of extensions begin with or hold bytes that no label has.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def to_text(oid: int, raw: bytes, style: Style = UTC) -> str:
    """The server's text form of a binary value. Raises Unconvertible naming the type."""
    try:
        return conversion(oid, style).to_text(raw)
    except Unconvertible as error:
        raise Unconvertible(f"{type_name(oid)}: {error}") from None
    except MALFORMED:
        raise Unconvertible(f"{type_name(oid)}: {len(raw)} bytes that are no binary value of this type") from None


def to_binary(oid: int, text: str, style: Style = UTC) -> bytes:
    """The binary form of a value that the server wrote as `text`. Raises Unconvertible naming the type."""
    try:
        return conversion(oid, style).to_binary(text)
    except Unconvertible as error:
        raise Unconvertible(f"{type_name(oid)}: {error}") from None
    except MALFORMED:
        raise Unconvertible(f"{type_name(oid)}: a text that is no value of this type") from None


@lru_cache(maxsize=1024)
def conversion(oid: int, style: Style = UTC) -> Conversion:
    """Both directions. Raises Unconvertible for a type whose forms are not known here."""
    if oid in SCALARS:
        return SCALARS[oid]
    if oid in DATETIMES:
        return datetime_conversion(oid, style)
    if oid in oids.ARRAYS:
        return array_conversion(oids.ARRAYS[oid], conversion(oids.ARRAYS[oid], style))
    if oid in oids.RANGES:
        return range_conversion(conversion(oids.RANGES[oid], style))
    if oid in oids.MULTIRANGES:
        return multirange_conversion(conversion(oids.MULTIRANGES[oid], style))
    if oid >= oids.FIRST_USER_OID:
        return _USER
    raise Unconvertible("no exact conversion is known")


def type_name(oid: int) -> str:
    """For messages: `type int4 (OID 23)`, `type OID 16400`."""
    name = _NAMES.get(oid)
    return f"type {name} (OID {oid})" if name else f"type OID {oid}"


def _user_text(raw: bytes) -> str:
    if _CONTROL.search(raw):
        raise Unconvertible("the binary form of a type of the app's own")
    return raw.decode()


def _user_binary(_: str) -> bytes:
    raise Unconvertible("the binary form of a type of the app's own")


_USER: Final = Conversion(_user_text, _user_binary)
_NAMES: Final = {
    value: name.lower()
    for name, value in vars(oids).items()
    if isinstance(value, int) and not name.startswith(("FIRST", "UNDECLARED"))
} | {
    array: f"{name.lower()}[]"
    for array, element in oids.ARRAYS.items()
    for name, value in vars(oids).items()
    if value == element and type(value) is int
}
