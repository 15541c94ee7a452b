"""The memory that a text of JSON takes once it is read, told from the text: `[[],[],…` grows thirtyfold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from timetracer_otel.config import GIB, MIB

MEMORY_MAX_BYTES: Final = 4 * GIB
"""For all files of one cassette. A trace of 256 MiB in cells of a few bytes stays below."""

_CHUNK: Final = MIB
_WIDE: Final = re.compile(rb"[\xf0-\xff]|\\u[dD][89abAB]")

# Bytes, on CPython of 64 bits, as its allocator rounds them.
_PARSED: Final = 16
_SLOT: Final = 8
_LIST: Final = 80
_DICT: Final = 64
_FIRST_KEY: Final = 168
_FURTHER_KEY: Final = 104
_NUMBER: Final = 32
_STRING: Final = 64
_MARKED: Final = 48


class Allowance:
    """What may still be read of one cassette."""

    __slots__ = ("_left_bytes", "_max_bytes")

    def __init__(self, max_bytes: int = MEMORY_MAX_BYTES) -> None:
        self._left_bytes = self._max_bytes = max_bytes

    def take(self, text: bytes) -> None:
        """Raises ValueError if to read `text` as well takes more memory than is allowed."""
        width = _width(text)
        needed_bytes = _bytes_of(len(text), width, _count(text))
        if needed_bytes > self._left_bytes:
            needed_bytes = self._look_closely(text, width)
        self._left_bytes -= needed_bytes

    def _look_closely(self, text: bytes, width: int) -> int:
        needed_bytes = 0
        for counts in _counts_outside_strings(text):
            needed_bytes = _bytes_of(len(text), width, counts)
            if needed_bytes > self._left_bytes:  # it does not become less
                raise ValueError(f"reading it takes more than {self._max_bytes // MIB} MiB of memory")
        return needed_bytes


class _Counts(NamedTuple):
    lists: int = 0
    dicts: int = 0
    commas: int = 0
    colons: int = 0
    quotes: int = 0
    marks: int = 0
    """Objects that stand for bytes or a number, and become these."""


def _bytes_of(size: int, width: int, counts: _Counts) -> int:
    """An upper bound: what is there all the time, and the larger of what only the parser and only the decoder needs."""
    members = counts.commas + counts.lists + counts.dicts
    strings = counts.quotes // 2
    numbers = max(0, counts.commas + 1 - max(0, strings - counts.colons))
    keys = min(counts.dicts, counts.colons) * _FIRST_KEY + max(0, counts.colons - counts.dicts) * _FURTHER_KEY
    containers = members * _SLOT + counts.lists * _LIST + counts.dicts * _DICT + keys
    values = size * width + strings * _STRING + numbers * _NUMBER
    parser = size + (members + counts.colons) * _PARSED
    # Bytes made of strings, and the containers that hold them.
    decoder = size + containers - counts.marks * (_DICT + _FIRST_KEY - _MARKED)
    return size + containers + values + max(parser, decoder)


def _width(text: bytes) -> int:
    """Bytes of one character: Python takes as many for each as for the widest in the same string."""
    if text.isascii() and b"\\u" not in text:
        return 1
    return 4 if _WIDE.search(text) else 2


def _count(text: bytes) -> _Counts:
    """Quick, and too many where strings hold JSON or source text; of marks it knows nothing."""
    return _Counts(
        lists=text.count(b"["),
        dicts=text.count(b"{"),
        commas=text.count(b","),
        colons=text.count(b":"),
        quotes=text.count(b'"'),
    )


def _count_marks(text: bytes) -> int:
    """None in strings, where a quote has a backslash."""
    return text.count(b'{"$') - text.count(b'{"$map"')


def _counts_outside_strings(text: bytes) -> Iterator[_Counts]:
    """After each piece of the text, what there was up to here."""
    total, inside = _Counts(), 0
    for chunk in _chunks(text):
        pieces = chunk.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = _count(b"".join(pieces[inside::2]))._replace(quotes=len(pieces) - 1, marks=_count_marks(chunk))
        total = _Counts(*map(sum, zip(total, outside, strict=True)))
        inside = (inside + len(pieces) - 1) % 2
        yield total


def _chunks(text: bytes) -> Iterator[bytes]:
    """Pieces of the text; none ends between a backslash and the character that it escapes."""
    start = 0
    while start < len(text):
        chunk = text[start : start + _CHUNK]
        if (len(chunk) - len(chunk.rstrip(b"\\"))) % 2:
            chunk = text[start : start + len(chunk) + 1]
        yield chunk
        start += len(chunk)
