"""BSON documents as the sequence of their elements, each with the bytes of its value: nothing is lost, and little done.

Source: bsonspec.org, version 1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from timetracer_otel.errors import WireError

DOUBLE, STRING, DOCUMENT, ARRAY, BINARY, UNDEFINED, OBJECT_ID, BOOLEAN, DATE, NULL = range(1, 11)
REGEX, DB_POINTER, CODE, SYMBOL, CODE_WITH_SCOPE, INT32, TIMESTAMP, INT64, DECIMAL128 = range(11, 20)
MAX_KEY, MIN_KEY = 0x7F, 0xFF
DEPTH_MAX: Final = 180
"""Levels of documents; servers allow 100 for what they store."""

_INT: Final = struct.Struct("<i")
_FIXED: Final = {
    DOUBLE: 8,
    UNDEFINED: 0,
    OBJECT_ID: 12,
    BOOLEAN: 1,
    DATE: 8,
    NULL: 0,
    INT32: 4,
    TIMESTAMP: 8,
    INT64: 8,
    DECIMAL128: 16,
    MAX_KEY: 0,
    MIN_KEY: 0,
}
_BEHIND_LENGTH: Final = {
    STRING: 4,
    CODE: 4,
    SYMBOL: 4,
    BINARY: 5,
    DB_POINTER: 16,
    DOCUMENT: 0,
    ARRAY: 0,
    CODE_WITH_SCOPE: 0,
}
"""What a value takes beside the length that it begins with."""


class Element(NamedTuple):
    kind: int
    name: bytes
    value: bytes
    """As on the wire, with the lengths that belong to it."""

    @property
    def text(self) -> str:
        """The name; what is no UTF-8 in it becomes U+FFFD."""
        return self.name.decode("utf-8", "replace")


def elements(document: bytes) -> Iterator[Element]:
    """The elements of a whole document, in order. Raises WireError on bytes that are not BSON."""
    end = _end(document)
    at = 4
    while at < end:
        kind = document[at]
        stop = document.find(b"\0", at + 1, end)
        if stop < 0:
            raise WireError("BSON: a name without an end")
        start = stop + 1
        size = _size(kind, document, start, end)
        if size < 0 or start + size > end:
            raise WireError(f"BSON: a value of type 0x{kind:02x} that does not fit into its document")
        yield Element(kind, document[at + 1 : stop], document[start : start + size])
        at = start + size


def _end(document: bytes) -> int:
    """Where the closing NUL is."""
    if len(document) < 5 or _INT.unpack_from(document)[0] != len(document) or document[-1] != 0:
        raise WireError(f"BSON: {len(document)} bytes are no document")
    return len(document) - 1


def _size(kind: int, document: bytes, start: int, end: int) -> int:
    if kind in _FIXED:
        return _FIXED[kind]
    if kind == REGEX:
        pattern = document.find(b"\0", start, end)
        options = document.find(b"\0", pattern + 1, end) if pattern >= 0 else -1
        return options + 1 - start
    if kind not in _BEHIND_LENGTH or start + 4 > end:
        raise WireError(f"BSON: a value of the unknown type 0x{kind:02x}")
    length: int = _INT.unpack_from(document, start)[0]
    return -1 if length < 0 else length + _BEHIND_LENGTH[kind]


def documents(data: bytes) -> list[bytes]:
    """The documents that follow one another in `data`, each whole to its depths; none if it is anything else."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        size = int_of(data[at : at + 4])
        document = data[at : at + size] if size > 0 else b""
        if len(document) < size or not _is_whole(document, DEPTH_MAX):
            return []
        found.append(document)
        at += size
    return found


def _is_whole(document: bytes, depth: int) -> bool:
    try:
        return depth > 0 and all(
            _is_whole(part.value, depth - 1) for part in elements(document) if part.kind in (DOCUMENT, ARRAY)
        )
    except WireError:
        return False


def joined(parts: Iterable[Element]) -> bytes:
    """The document of these elements."""
    body = b"".join(bytes([part.kind]) + part.name + b"\0" + part.value for part in parts)
    return _INT.pack(len(body) + 5) + body + b"\0"


def string(text: bytes) -> bytes:
    """The value of a string."""
    return _INT.pack(len(text) + 1) + text + b"\0"


def string_of(value: bytes) -> bytes:
    """The text of a string's value. Raises WireError."""
    if len(value) < 5 or _INT.unpack_from(value)[0] != len(value) - 4 or value[-1] != 0:
        raise WireError("BSON: a string of a wrong length")
    return value[4:-1]


def code_of(value: bytes) -> tuple[bytes, bytes]:
    """Text and scope of the value of code with a scope. Raises WireError."""
    size = int_of(value[4:8])
    scope = value[8 + size :]
    _end(scope)
    return string_of(value[4 : 8 + size]), scope


def code(text: bytes, scope: bytes) -> bytes:
    """The value of code with a scope."""
    body = string(text) + scope
    return _INT.pack(len(body) + 4) + body


def int_of(value: bytes) -> int:
    """Of an int32, an int64 or a date."""
    return int.from_bytes(value, "little", signed=True)


def encode(data: Mapping[str, Any]) -> bytes:
    """Plain data as a document. Raises WireError for what it has no type for."""
    return joined(_element(name, value) for name, value in data.items())


def _element(name: str, value: object) -> Element:
    for kind, plain, to_bytes in _PLAIN:
        if isinstance(value, plain):
            return Element(kind, name.encode(), to_bytes(value))
    if isinstance(value, int):
        is_small = -(2**31) <= value < 2**31
        return Element(
            INT32 if is_small else INT64, name.encode(), value.to_bytes(4 if is_small else 8, "little", signed=True)
        )
    raise WireError(f"BSON: no type for {type(value).__name__}")


def _array(values: Sequence[Any]) -> bytes:
    return encode({str(index): value for index, value in enumerate(values)})


_PLAIN: Final[tuple[tuple[int, Any, Callable[[Any], bytes]], ...]] = (
    (BOOLEAN, bool, lambda value: bytes([value])),
    (NULL, type(None), lambda _: b""),
    (DOUBLE, float, struct.Struct("<d").pack),
    (STRING, str, lambda value: string(value.encode())),
    (BINARY, bytes, lambda value: _INT.pack(len(value)) + b"\0" + value),
    (DOCUMENT, Mapping, encode),
    (ARRAY, (list, tuple), _array),
)
