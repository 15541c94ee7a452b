"""BSON <-> canonical Extended JSON v2, as text: the order of keys is data, and a key may stand there twice.

What JSON cannot say (a NaN with a payload, text that is no UTF-8, a key `$oid` of the application's) makes the text
inexact; `exact` tells. Source: MongoDB Extended JSON (v2) specification.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from timetracer_otel.errors import Unconvertible, WireError
from timetracer_otel.wire.mongo import bson, decimal128

_DOUBLE: Final = struct.Struct("<d")
_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
OLD_BINARY: Final = 2
"""A subtype whose bytes begin with their own length."""


def exact(document: bytes) -> str | None:
    """The text, if it gives the same bytes back; else None."""
    try:
        text = to_text(document)
        return text if from_text(text) == document else None
    except (WireError, Unconvertible):
        return None


# ---- to text ---------------------------------------------------------------------------------------------------------


def to_text(document: bytes, depth: int = bson.DEPTH_MAX) -> str:
    """The best that can be said of the document. Raises WireError if it is none."""
    pairs = (f"{_quoted(part.name)}: {value_text(part.kind, part.value, depth)}" for part in bson.elements(document))
    return "{" + ", ".join(pairs) + "}"


def value_text(kind: int, value: bytes, depth: int = bson.DEPTH_MAX) -> str:
    """One value as Extended JSON. Raises WireError."""
    if kind in (bson.DOCUMENT, bson.ARRAY, bson.CODE_WITH_SCOPE):
        if depth <= 0:
            raise WireError(f"BSON: nested deeper than {bson.DEPTH_MAX} levels")
        return _NESTED[kind](value, depth - 1)
    return _TEXTS[kind](value)


def _array(document: bytes, depth: int) -> str:
    return "[" + ", ".join(value_text(part.kind, part.value, depth) for part in bson.elements(document)) + "]"


def _code_with_scope(value: bytes, depth: int) -> str:
    code, scope = bson.code_of(value)
    return f'{{"$code": {_quoted(code)}, "$scope": {to_text(scope, depth)}}}'


def _quoted(data: bytes) -> str:
    return json.dumps(data.decode("utf-8", "replace"), ensure_ascii=False)


def _tagged(tag: str, inner: str) -> str:
    return f'{{"${tag}": {inner}}}'


def _text_in(tag: str, text: str) -> str:
    return _tagged(tag, json.dumps(text, ensure_ascii=False))


def _double(value: bytes) -> str:
    spelled = repr(_DOUBLE.unpack(value)[0])
    return _text_in("numberDouble", _NOT_FINITE.get(spelled, spelled))


def _binary(value: bytes) -> str:
    subtype, data = value[4], value[5:]
    if subtype == OLD_BINARY and len(data) >= 4 and bson.int_of(data[:4]) == len(data) - 4:
        data = data[4:]
    return _tagged("binary", f'{{"base64": "{b64encode(data).decode()}", "subType": "{subtype:02x}"}}')


def _regex(value: bytes) -> str:
    pattern, options, _ = value.split(b"\0")
    return _tagged("regularExpression", f'{{"pattern": {_quoted(pattern)}, "options": {_quoted(options)}}}')


def _db_pointer(value: bytes) -> str:
    return _tagged("dbPointer", f'{{"$ref": {_quoted(bson.string_of(value[:-12]))}, "$id": {_object_id(value[-12:])}}}')


def _object_id(value: bytes) -> str:
    return _text_in("oid", value.hex())


def _timestamp(value: bytes) -> str:
    increment, time_s = struct.unpack("<II", value)
    return _tagged("timestamp", f'{{"t": {time_s}, "i": {increment}}}')


_NESTED: Final[dict[int, Callable[[bytes, int], str]]] = {
    bson.DOCUMENT: to_text,
    bson.ARRAY: _array,
    bson.CODE_WITH_SCOPE: _code_with_scope,
}
_TEXTS: Final[dict[int, Callable[[bytes], str]]] = {
    bson.DOUBLE: _double,
    bson.STRING: lambda value: _quoted(bson.string_of(value)),
    bson.BINARY: _binary,
    bson.UNDEFINED: lambda _: '{"$undefined": true}',
    bson.OBJECT_ID: _object_id,
    bson.BOOLEAN: lambda value: "true" if value != b"\0" else "false",
    bson.DATE: lambda value: _tagged("date", _text_in("numberLong", str(bson.int_of(value)))),
    bson.NULL: lambda _: "null",
    bson.REGEX: _regex,
    bson.DB_POINTER: _db_pointer,
    bson.CODE: lambda value: _tagged("code", _quoted(bson.string_of(value))),
    bson.SYMBOL: lambda value: _tagged("symbol", _quoted(bson.string_of(value))),
    bson.INT32: lambda value: _text_in("numberInt", str(bson.int_of(value))),
    bson.TIMESTAMP: _timestamp,
    bson.INT64: lambda value: _text_in("numberLong", str(bson.int_of(value))),
    bson.DECIMAL128: lambda value: _text_in("numberDecimal", decimal128.to_text(value)),
    bson.MIN_KEY: lambda _: '{"$minKey": 1}',
    bson.MAX_KEY: lambda _: '{"$maxKey": 1}',
}


# ---- from text -------------------------------------------------------------------------------------------------------


class _Object(NamedTuple):
    """A JSON object with its keys in order, also those that it has twice."""

    pairs: list[tuple[str, Any]]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self.pairs)


MALFORMED: Final = (AttributeError, ValueError, TypeError, OverflowError, struct.error, NotBase64, RecursionError)
"""What a text of another shape than the canonical one raises."""


def from_text(text: str) -> bytes:
    """The document that `to_text` was given, where the text is exact. Raises Unconvertible."""
    try:
        parsed = json.loads(text, object_pairs_hook=_Object)
        if isinstance(parsed, _Object):
            return _document(parsed)
    except MALFORMED as error:
        raise Unconvertible(f"Extended JSON: {type(error).__name__}: {error}") from None
    raise Unconvertible("Extended JSON of something that is no object")


def _document(parsed: _Object) -> bytes:
    return bson.joined(bson.Element(*_value(value, key)) for key, value in parsed.pairs)


def _value(value: Any, key: str) -> tuple[int, bytes, bytes]:
    kind, data = _encoded(value)
    name = key.encode()
    if b"\0" in name:
        raise ValueError("a key with a NUL")
    return kind, name, data


def _encoded(value: Any) -> tuple[int, bytes]:
    if isinstance(value, _Object):
        tagged = _TAGGED.get(value.keys)
        return tagged(*(each for _, each in value.pairs)) if tagged is not None else (bson.DOCUMENT, _document(value))
    if isinstance(value, list):
        items = enumerate(value)
        return bson.ARRAY, bson.joined(bson.Element(*_value(each, str(index))) for index, each in items)
    if isinstance(value, str):
        return bson.STRING, bson.string(value.encode())
    if value is None or isinstance(value, bool):
        return (bson.NULL, b"") if value is None else (bson.BOOLEAN, bytes([value]))
    raise TypeError(f"{type(value).__name__} is not canonical")


def _fields(value: Any, *names: str) -> list[Any]:
    if not isinstance(value, _Object) or value.keys != names:
        raise ValueError(f"not an object of {names}")
    return [each for _, each in value.pairs]


def _int(kind: int, size: int) -> Callable[[str], tuple[int, bytes]]:
    return lambda text: (kind, int(text).to_bytes(size, "little", signed=True))


def _from_binary(value: Any) -> tuple[int, bytes]:
    text, subtype = _fields(value, "base64", "subType")
    data, number = b64decode(text, validate=True), int(subtype, 16)
    if number == OLD_BINARY:
        data = len(data).to_bytes(4, "little") + data
    return bson.BINARY, len(data).to_bytes(4, "little") + bytes([number]) + data


def _from_date(value: Any) -> tuple[int, bytes]:
    (text,) = _fields(value, "$numberLong")
    return bson.DATE, int(text).to_bytes(8, "little", signed=True)


def _from_regex(value: Any) -> tuple[int, bytes]:
    return bson.REGEX, b"".join(text.encode() + b"\0" for text in _fields(value, "pattern", "options"))


def _twelve(text: str) -> bytes:
    """The bytes of an ObjectId."""
    data = bytes.fromhex(text)
    if len(data) != 12:
        raise ValueError(f"an ObjectId of {len(data)} bytes")
    return data


def _from_pointer(value: Any) -> tuple[int, bytes]:
    reference, target = _fields(value, "$ref", "$id")
    (text,) = _fields(target, "$oid")
    return bson.DB_POINTER, bson.string(reference.encode()) + _twelve(text)


def _from_timestamp(value: Any) -> tuple[int, bytes]:
    time_s, increment = _fields(value, "t", "i")
    return bson.TIMESTAMP, struct.pack("<II", increment, time_s)


def _from_code(code: str, scope: Any) -> tuple[int, bytes]:
    if not isinstance(scope, _Object):
        raise TypeError("a scope that is no object")
    return bson.CODE_WITH_SCOPE, bson.code(code.encode(), _document(scope))


_TAGGED: Final[dict[tuple[str, ...], Callable[..., tuple[int, bytes]]]] = {
    ("$numberDouble",): lambda text: (bson.DOUBLE, _DOUBLE.pack(float(text))),
    ("$binary",): _from_binary,
    ("$undefined",): lambda _: (bson.UNDEFINED, b""),
    ("$oid",): lambda text: (bson.OBJECT_ID, _twelve(text)),
    ("$date",): _from_date,
    ("$regularExpression",): _from_regex,
    ("$dbPointer",): _from_pointer,
    ("$code",): lambda text: (bson.CODE, bson.string(text.encode())),
    ("$symbol",): lambda text: (bson.SYMBOL, bson.string(text.encode())),
    ("$code", "$scope"): _from_code,
    ("$numberInt",): _int(bson.INT32, 4),
    ("$timestamp",): _from_timestamp,
    ("$numberLong",): _int(bson.INT64, 8),
    ("$numberDecimal",): lambda text: (bson.DECIMAL128, decimal128.from_text(text)),
    ("$minKey",): lambda _: (bson.MIN_KEY, b""),
    ("$maxKey",): lambda _: (bson.MAX_KEY, b""),
}
