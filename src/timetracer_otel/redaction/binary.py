"""A fast look at binary data: images, archives and films come in hundreds of megabytes and nearly never hold a secret.

The literals that every hit needs are searched in what is left of the data without all other letters, which is a tenth
of it. Only around what is found the rules are asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from timetracer_otel.redaction.masker import Masker
from timetracer_otel.redaction.names import Names

_BEFORE_BYTES: Final = 256
_AFTER_BYTES: Final = 4096
_MOST_PLACES: Final = 16
_TEXT: Final = re.compile(rb"[\t\n\r -~]{8,}")

_SHAPES: Final = (
    *(b"AKIA", b"ASIA", b"AIza", b"eyJ", b"://", b"-----BEGIN "),
    *(b"sig=", b"sig%", b"%40", b"%2540", b"252540"),
    *(b"EARER ", b"earer ", b"asic ", b"ASIC ", b"EARER\t", b"earer\t", b"asic\t", b"ASIC\t"),
)
"""Of what is known without a name beside it, as `Patterns.holds_shape` has them."""


class _Sieve:
    """Finds literals in binary data."""

    def __init__(self, literals: Sequence[bytes]) -> None:
        self._literals = literals
        self._others = bytes(byte for byte in range(256) if byte not in set(b"".join(literals)))

    def places(self, data: bytes) -> Iterator[int]:
        left = data.translate(None, self._others)
        for literal in self._literals:
            place = data.find(literal) if literal in left else -1
            while place >= 0:
                yield place
                place = data.find(literal, place + 1)


def is_clean(data: bytes, masker: Masker) -> bool:
    """False if `data`, binary, may hold something to mask; also where that would take as long as masking it."""
    if masker.is_known_in(data) or (masker.rules.patterns.has_further and not _is_text_clean(data, masker)):
        return False
    for sieve, view in ((_SHAPES_SIEVE, data), (_sieve_of(masker.rules.names), data.lower())):
        for count, place in enumerate(sieve.places(view)):
            around = data[max(0, place - _BEFORE_BYTES) : place + _AFTER_BYTES]
            if count >= _MOST_PLACES or masker.scrub(around) != around:
                return False
    return True


def _is_text_clean(data: bytes, masker: Masker) -> bool:
    """Further rules have no literals to look for: what they are shown of binary data is the text that is in it."""
    text = b"\0".join(_TEXT.findall(data))
    return masker.scrub(text) == text


@lru_cache(maxsize=8)
def _sieve_of(names: Names) -> _Sieve:
    """One word of each name: that is in the name whatever its style."""
    return _Sieve([word.encode() for word in dict.fromkeys(max(name.split("_"), key=len) for name in names.all)])


_SHAPES_SIEVE: Final = _Sieve(_SHAPES)
