"""Arrays, ranges and multiranges: their parts and their two outer forms, whatever the elements are.

Source: src/backend/utils/adt/arrayfuncs.c (array_out, array_send), rangetypes.c, multirangetypes.c.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final, Generic, TypeVar

from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres.conversion import Conversion, checked

_ARRAY: Final = struct.Struct("!iiI")
_DIMENSION: Final = struct.Struct("!ii")
_INT32: Final = struct.Struct("!i")
DIMENSIONS_MAX: Final = 6

_TOKEN: Final = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"\\]+|\\.', re.DOTALL)
_BOUNDS: Final = re.compile(r"\[(-?\d+):(-?\d+)\]", re.ASCII)
_QUOTED_IN_ARRAY: Final = re.compile(r'[{}",\\ \t\n\r\v\f]|\A(?i:null)\Z|\A\Z')
_QUOTED_IN_RANGE: Final = re.compile(r'["\\()\[\], \t\n\r\v\f]|\A\Z')
_BACKSLASHED: Final = re.compile(r"\\(.)", re.DOTALL)

T = TypeVar("T", str, bytes)


@dataclass(frozen=True, slots=True)
class Array(Generic[T]):
    """`dimensions`: (length, lower bound) from the outside in; no dimension is the empty array."""

    dimensions: tuple[tuple[int, int], ...]
    elements: tuple[T | None, ...]


def array_from_binary(raw: bytes) -> tuple[int, Array[bytes]]:
    """The element type, and the array of binary elements. Raises Unconvertible."""
    count, _, element_oid = _ARRAY.unpack_from(raw)
    if not 0 <= count <= DIMENSIONS_MAX:
        raise Unconvertible(f"an array of {count} dimensions")
    at = _ARRAY.size + count * _DIMENSION.size
    dimensions = tuple(_DIMENSION.iter_unpack(raw[_ARRAY.size : at]))
    elements: list[bytes | None] = []
    while at < len(raw):
        element, at = _sized(raw, at)
        elements.append(element)
    if len(elements) != (prod(length for length, _ in dimensions) if dimensions else 0):
        raise Unconvertible("an array with the wrong number of elements")
    return element_oid, Array(dimensions, tuple(elements))


def array_to_binary(element_oid: int, array: Array[bytes]) -> bytes:
    header = _ARRAY.pack(len(array.dimensions), int(None in array.elements), element_oid)
    sizes = b"".join(_DIMENSION.pack(length, lower) for length, lower in array.dimensions)
    return header + sizes + b"".join(_with_size(element) for element in array.elements)


def array_from_text(text: str) -> Array[str]:
    """Of the server's text, with `,` between elements. Raises Unconvertible."""
    bounds = _BOUNDS.findall(text[: text.index("{")])
    elements, lengths = _Braces(text[text.index("{") :]).read()
    lowers = [int(lower) for lower, _ in bounds] or [1] * len(lengths)
    return Array(tuple(zip(lengths, lowers, strict=True)), tuple(elements))


def array_to_text(array: Array[str]) -> str:
    if not array.dimensions:
        return "{}"
    level = ["NULL" if element is None else _quoted(element) for element in array.elements]
    for length, _ in reversed(array.dimensions):
        level = ["{" + ",".join(level[at : at + length]) + "}" for at in range(0, len(level), length)]
    has_bounds = any(lower != 1 for _, lower in array.dimensions)
    bounds = "".join(f"[{lower}:{lower + length - 1}]" for length, lower in array.dimensions) if has_bounds else ""
    return f"{bounds}={level[0]}" if bounds else level[0]


class _Braces:
    """Reads `{{a,"b"},{NULL,d}}`; every level must be equally long throughout."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._elements: list[str | None] = []
        self._lengths: dict[int, int] = {}

    def read(self) -> tuple[list[str | None], list[int]]:
        self._level(0)
        if self._at != len(self._text):
            raise Unconvertible("text after the end of an array")
        lengths = [self._lengths[depth] for depth in sorted(self._lengths)]
        return self._elements, [] if lengths == [0] else lengths

    def _level(self, depth: int) -> None:
        if self._next() != "{" or depth >= DIMENSIONS_MAX:
            raise Unconvertible("not an array")
        length = 0
        while self._peek() != "}":
            if length and self._next() != ",":
                raise Unconvertible("not an array")
            self._item(depth)
            length += 1
        self._next()
        if self._lengths.setdefault(depth, length) != length:
            raise Unconvertible("an array with rows of different lengths")

    def _item(self, depth: int) -> None:
        if self._peek() == "{":
            self._level(depth + 1)
        elif depth + 1 in self._lengths:
            raise Unconvertible("an array with an element beside a row")
        else:
            self._elements.append(self._element())

    def _element(self) -> str | None:
        token = self._next()
        if token.startswith('"'):
            return _BACKSLASHED.sub(r"\1", token[1:-1])
        pieces = [token]
        while self._peek() not in ("", ",", "{", "}"):
            pieces.append(self._next())
        word = "".join(pieces).strip(" \t\n\r\v\f")
        return None if word.upper() == "NULL" else _BACKSLASHED.sub(r"\1", word)

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        return match.group() if match else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise Unconvertible("an array that does not end")
        self._at += len(token)
        return token


def _quoted(element: str) -> str:
    if _QUOTED_IN_ARRAY.search(element) is None:
        return element
    return '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'


def array_conversion(element_oid: int, element: Conversion) -> Conversion:
    def to_text(raw: bytes) -> str:
        oid, array = array_from_binary(raw)
        if oid != element_oid:
            raise Unconvertible(f"an array of OID {oid}")
        return array_to_text(Array(array.dimensions, _mapped(element.to_text, array.elements)))

    def to_binary(text: str) -> bytes:
        array = array_from_text(text)
        if array_to_text(array) != text:
            raise Unconvertible("a text that is not the server's own spelling")
        return array_to_binary(element_oid, Array(array.dimensions, _mapped(element.to_binary, array.elements)))

    return Conversion(to_text, to_binary)


A = TypeVar("A")
B = TypeVar("B")


def _mapped(convert: Callable[[A], B], elements: Sequence[A | None]) -> tuple[B | None, ...]:
    return tuple(None if element is None else convert(element) for element in elements)


# ---- ranges ----------------------------------------------------------------------------------------------------------

EMPTY, LOWER_INCLUSIVE, UPPER_INCLUSIVE, LOWER_INFINITE, UPPER_INFINITE = 0x01, 0x02, 0x04, 0x08, 0x10
_RANGE: Final = re.compile(
    r'([\[(])("(?:[^"\\]|\\.|"")*"|[^",()\[\]]*),("(?:[^"\\]|\\.|"")*"|[^",()\[\]]*)([\])])', re.DOTALL
)
_DOUBLED: Final = re.compile(r'(["\\])\1')
_IN_MULTIRANGE: Final = re.compile(r'empty|[\[(](?:"(?:[^"\\]|\\.|"")*"|[^"\])])*[\])]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Range(Generic[T]):
    """`flags` as in the binary form; a bound is None where it is infinite or the range is empty."""

    flags: int
    lower: T | None
    upper: T | None


def range_from_binary(raw: bytes) -> Range[bytes]:
    flags, at = raw[0], 1
    bounds: list[bytes | None] = []
    for infinite in (LOWER_INFINITE, UPPER_INFINITE):
        bound, at = (None, at) if flags & (infinite | EMPTY) else _sized(raw, at)
        bounds.append(bound)
    return Range(flags, *bounds)


def range_from_text(text: str) -> Range[str]:
    """Of any spelling that the server takes. Raises Unconvertible."""
    if text == "empty":
        return Range(EMPTY, None, None)
    match = _RANGE.fullmatch(text)
    if match is None:
        raise Unconvertible("not a range")
    opening, lower, upper, closing = match.groups()
    flags = (opening == "[") * LOWER_INCLUSIVE | (closing == "]") * UPPER_INCLUSIVE
    flags |= (not lower) * LOWER_INFINITE | (not upper) * UPPER_INFINITE
    return Range(flags, _unquoted(lower) if lower else None, _unquoted(upper) if upper else None)


def range_conversion(bound: Conversion) -> Conversion:
    def to_text(raw: bytes) -> str:
        found = range_from_binary(raw)
        if found.flags & EMPTY:
            return "empty"
        lower, upper = ("" if one is None else _quoted_bound(bound.to_text(one)) for one in (found.lower, found.upper))
        opening, closing = "[" if found.flags & LOWER_INCLUSIVE else "(", "]" if found.flags & UPPER_INCLUSIVE else ")"
        return f"{opening}{lower},{upper}{closing}"

    def to_binary(text: str) -> bytes:
        found = range_from_text(text)
        bounds = (one for one in (found.lower, found.upper) if one is not None)
        return bytes([found.flags]) + b"".join(_with_size(bound.to_binary(one)) for one in bounds)

    return checked(to_text, to_binary)


def multirange_conversion(ranges: Conversion) -> Conversion:
    def to_text(raw: bytes) -> str:
        (count,) = _INT32.unpack_from(raw)
        at, texts = _INT32.size, []
        for _ in range(count):
            value, at = _sized(raw, at)
            texts.append(ranges.to_text(value or b""))
        return "{" + ",".join(texts) + "}"

    def to_binary(text: str) -> bytes:
        found = _ranges_in(text)
        return _INT32.pack(len(found)) + b"".join(_with_size(ranges.to_binary(one)) for one in found)

    return Conversion(to_text, to_binary)


def _ranges_in(text: str) -> list[str]:
    """The ranges of a multirange, each as its own text."""
    found: list[str] = []
    at = 1
    while (one := _IN_MULTIRANGE.match(text, at)) is not None:
        found.append(one.group())
        at = one.end() + 1
    if "{" + ",".join(found) + "}" != text:
        raise Unconvertible("not a multirange in the server's own spelling")
    return found


def _quoted_bound(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\1\1", text) + '"' if _QUOTED_IN_RANGE.search(text) else text


def _unquoted(text: str) -> str:
    return _DOUBLED.sub(r"\1", text[1:-1]) if text.startswith('"') else text


# ---- values with their size before them ------------------------------------------------------------------------------


def _sized(raw: bytes, at: int) -> tuple[bytes | None, int]:
    (size,) = _INT32.unpack_from(raw, at)
    at += _INT32.size
    if size == -1:
        return None, at
    if not 0 <= size <= len(raw) - at:
        raise Unconvertible("a part that is longer than the whole")
    return raw[at : at + size], at + size


def _with_size(value: bytes | None) -> bytes:
    return _INT32.pack(-1) if value is None else _INT32.pack(len(value)) + value
