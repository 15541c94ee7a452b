"""The pair of functions that takes a value of one type from its binary form to its text form and back."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from timetracer_otel.errors import Unconvertible

MALFORMED: Final = (ArithmeticError, LookupError, ValueError, struct.error)
"""What conversions raise on bytes or texts that are not of the type."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the text form of a value depends on besides its type: settings of the session that the text is from."""

    dates: str = "ISO"
    intervals: str = "postgres"
    time_zone: str = "UTC"

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Style:
        """From ParameterStatus; what is not there has the value that makes texts the same everywhere."""
        return cls(
            dates=parameters.get("DateStyle", "ISO").partition(",")[0],
            intervals=parameters.get("IntervalStyle", "postgres"),
            time_zone=parameters.get("TimeZone", "UTC"),
        )


@dataclass(frozen=True, slots=True)
class Conversion:
    """Raises Unconvertible or one of MALFORMED; `types` makes one error of both."""

    to_text: Callable[[bytes], str]
    to_binary: Callable[[str], bytes]


def checked(to_text: Callable[[bytes], str], parse: Callable[[str], bytes]) -> Conversion:
    """Each the exact inverse of the other: a text that would not come back as it is (`+1`, `1e3`) is refused."""

    def to_binary(text: str) -> bytes:
        raw = parse(text)
        if to_text(raw) != text:
            raise Unconvertible("a text that is not the server's own spelling")
        return raw

    return Conversion(to_text, to_binary)


def fixed(layout: str, to_text: Callable[[int], str] = str, parse: Callable[[str], int] = int) -> Conversion:
    """A type whose binary form is one integer."""
    form = struct.Struct(layout)
    return checked(lambda raw: to_text(form.unpack(raw)[0]), lambda text: form.pack(parse(text)))


def exactly(text: str, size: int) -> bytes:
    """The `size` bytes that hexadecimal digits stand for."""
    raw = bytes.fromhex(text)
    if len(raw) != size:
        raise Unconvertible(f"{len(raw)} bytes where {size} belong")
    return raw
