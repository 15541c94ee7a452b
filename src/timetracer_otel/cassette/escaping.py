"""Text of a cassette, as it may be printed: a hostile name, statement or value cannot drive the terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

HIDDEN: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's controls, overrides of the writing direction, lone surrogates and line separators."""


def safe(text: str) -> str:
    """The text in one line, every character that is not visible as a backslash escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) if is_hidden(character) else character for character in text)


def is_hidden(character: str) -> bool:
    return unicodedata.category(character) in HIDDEN


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
