"""Searches in long text by a letter that is rare there: to look for one letter costs a fifth of what a word costs."""

from __future__ import annotations

import re
from typing import Final

LONG: Final = 8 * 1024
"""Characters of a text in which it is worth the call."""
FEW: Final = 32
"""Places of the letter that are looked at one by one; where there are more of them, it is not rare."""


def holds(view: str, word: str, letter: int) -> bool:
    """`word in view`; `letter` is the place in the word of the letter that is rare."""
    rare, at = word[letter], -1
    for _ in range(FEW):
        at = view.find(rare, at + 1)
        if at < 0:
            return False
        if at >= letter and view.startswith(word, at - letter):
            return True
    return word in view


def finds(view: str, pattern: re.Pattern[str], letter: str, others: str) -> bool:
    """True if the pattern is found, each hit of which begins with the letter and holds one of the others. It may look
    back. In digits, be they hexadecimal or base64, a letter is not rare, but others are missing."""
    at = -1
    for _ in range(FEW):
        at = view.find(letter, at + 1)
        if at < 0:
            return False
        if pattern.match(view, at) is not None:
            return True
    return any(other in view for other in others) and pattern.search(view, at + 1) is not None
