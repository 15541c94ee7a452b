"""Secret values of BSON as a whole: a marker where the type has room for one, else a value that stands in."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from timetracer_otel.wire.mongo import bson, decimal128
from timetracer_otel.wire.mongo.extended_json import OLD_BINARY

if TYPE_CHECKING:
    from timetracer_otel.redaction import Redactor

TEXTS: Final = (bson.STRING, bson.CODE, bson.SYMBOL)
NESTED: Final = (bson.DOCUMENT, bson.ARRAY)
UUIDS: Final = (3, 4)
"""Subtypes of binary values."""

Whole: TypeAlias = "Callable[[bytes, str, Redactor], bytes]"


def marked(part: bson.Element, rule: str, redactor: Redactor) -> bytes:
    """The value masked; itself if its type holds no secrets whatever its name: null, booleans, dates, ObjectIds."""
    whole = _WHOLE.get(part.kind)
    return part.value if whole is None else whole(part.value, rule, redactor)


def binary(data: bytes, subtype: int) -> bytes:
    """The value of a binary. See `content_of`."""
    if subtype == OLD_BINARY:
        data = len(data).to_bytes(4, "little") + data
    return len(data).to_bytes(4, "little") + bytes([subtype]) + data


def content_of(value: bytes) -> tuple[int, bytes]:
    """Subtype and bytes of a binary, of the old subtype without the length that they begin with."""
    return value[4], value[9:] if value[4] == OLD_BINARY else value[5:]


def _string(value: bytes, rule: str, redactor: Redactor) -> bytes:
    text = bson.string_of(value)
    return bson.string(redactor.marker(rule, text).encode()) if text else value


def _binary(value: bytes, rule: str, redactor: Redactor) -> bytes:
    subtype, data = content_of(value)
    if subtype in UUIDS and len(data) == 16:
        return binary(redactor.stand_in(rule, data, "uuid"), subtype)
    return binary(redactor.marker(rule, data).encode(), subtype) if data else value


def _int(size: int) -> Whole:
    def masked(value: bytes, rule: str, redactor: Redactor) -> bytes:
        digits = str(bson.int_of(value)).encode()
        number = redactor.stand_in(rule, digits, "int4" if size == 4 else "int8")
        return number.to_bytes(size, "little")

    return masked


def _double(value: bytes, rule: str, redactor: Redactor) -> bytes:
    spelled = repr(struct.unpack("<d", value)[0]).encode()
    return struct.pack("<d", float(redactor.stand_in(rule, spelled, "int4")))


def _decimal(value: bytes, rule: str, redactor: Redactor) -> bytes:
    spelled = decimal128.to_text(value).encode()
    return decimal128.from_text(str(redactor.stand_in(rule, spelled, "int8")))


def _regex(value: bytes, rule: str, redactor: Redactor) -> bytes:
    pattern, options, _ = value.split(b"\0")
    return redactor.marker(rule, pattern).encode() + b"\0" + options + b"\0"


_WHOLE: Final[dict[int, Whole]] = {
    **dict.fromkeys(TEXTS, _string),
    bson.BINARY: _binary,
    bson.INT32: _int(4),
    bson.INT64: _int(8),
    bson.DOUBLE: _double,
    bson.DECIMAL128: _decimal,
    bson.REGEX: _regex,
}
