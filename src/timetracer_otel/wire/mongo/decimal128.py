"""The decimal number of BSON <-> its canonical text. Source: IEEE 754-2008 decimal128, binary integer encoding."""

from __future__ import annotations

import re
from typing import Final

from timetracer_otel.errors import Unconvertible

BIAS: Final = 6176
EXPONENT_MAX: Final = 6111
DIGITS_MAX: Final = 34
_SPECIAL: Final = {0b11110: "Infinity", 0b11111: "NaN"}
_NUMBER: Final = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?")


def to_text(value: bytes) -> str:
    """Of 16 bytes."""
    bits = int.from_bytes(value, "little")
    sign = "-" if bits >> 127 else ""
    combination = bits >> 122 & 0b11111
    if combination in _SPECIAL:
        return "NaN" if _SPECIAL[combination] == "NaN" else f"{sign}Infinity"
    if combination >> 3 == 0b11:  # the coefficient would have 114 bits: more than 34 digits, which count as zero
        exponent, coefficient = (bits >> 111 & 0x3FFF) - BIAS, 0
    else:
        exponent, coefficient = (bits >> 113 & 0x3FFF) - BIAS, bits & (1 << 113) - 1
    if coefficient >= 10**DIGITS_MAX:
        coefficient = 0
    return sign + _spelled(str(coefficient), exponent)


def _spelled(digits: str, exponent: int) -> str:
    scientific = exponent + len(digits) - 1
    if exponent > 0 or scientific < -6:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{digits[0]}{tail}E{scientific:+d}"
    if exponent == 0:
        return digits
    point = len(digits) + exponent
    return f"{digits[:point]}.{digits[point:]}" if point > 0 else f"0.{'0' * -point}{digits}"


def from_text(text: str) -> bytes:
    """The 16 bytes of what `to_text` gave. Raises Unconvertible."""
    if text in ("NaN", "Infinity", "-Infinity"):
        top = {"NaN": 0x7C, "Infinity": 0x78, "-Infinity": 0xF8}[text]
        return bytes(15) + bytes([top])
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Unconvertible(f"the decimal {text[:60]!r}")
    sign, whole, fraction, power = match.groups()
    exponent = int((power or "0")[:8]) - len(fraction or "")
    coefficient = int(whole + (fraction or "")) if len(whole + (fraction or "")) <= 2 * DIGITS_MAX + BIAS else -1
    if not (0 <= coefficient < 10**DIGITS_MAX and -BIAS <= exponent <= EXPONENT_MAX):
        raise Unconvertible(f"the decimal {text[:60]!r}")
    bits = (1 << 127 if sign else 0) | exponent + BIAS << 113 | coefficient
    return bits.to_bytes(16, "little")
