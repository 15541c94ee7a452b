"""Text of a cassette, as it may be printed: a hostile name, statement or value cannot drive the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from timetracer_otel.cassette.model import Value

DIGITS_BITS_MAX: Final = 4096
"""Larger integers are printed in hex: to write millions of decimal digits takes minutes, and Python may refuse to."""
HIDDEN: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's controls, overrides of the writing direction, lone surrogates and line separators."""

JSON_BLANKS: Final = "\n\r\t"
"""Between the values of JSON; within a text they are escapes already, as all controls are but DELETE."""


def safe(text: str) -> str:
    """The text in one line, every character that is not visible as a backslash escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) if is_hidden(character) else character for character in text)


def visible_json(text: str) -> str:
    """The JSON, in which each character that is not visible stands as an escape: it means the same."""
    hidden = [each for each in set(text) if not " " <= each <= "~" and each not in JSON_BLANKS and is_hidden(each)]
    return text.translate({ord(each): _json_escape(each) for each in hidden}) if hidden else text


def is_hidden(character: str) -> bool:
    return unicodedata.category(character) in HIDDEN


def shown(value: Value) -> str:
    """The value as Python writes it. It is not `safe` yet."""
    return repr(_printable(value))


def words(value: Value) -> str:
    """A text as it is, anything else as Python writes it. It is not `safe` yet."""
    return value if isinstance(value, str) else shown(value)


class _Hex(int):
    def __repr__(self) -> str:
        return hex(self)


def _printable(value: Value) -> Value:
    if isinstance(value, int) and value.bit_length() > DIGITS_BITS_MAX:
        return _Hex(value)
    if isinstance(value, Mapping):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, (list, tuple)) else value


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True))
