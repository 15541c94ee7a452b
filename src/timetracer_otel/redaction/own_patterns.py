"""Regular expressions of a rule file: checked when they are loaded, bounded where they run."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from timetracer_otel.redaction.markers import Mark

WINDOW_CHARACTERS: Final = 64 * 1024
OVERLAP_CHARACTERS: Final = 4 * 1024
"""A hit that is longer may be cut where two windows meet."""
_PROBE_LENGTHS: Final = range(12, 33, 4)
_PROBE_MAX_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class OwnPattern:
    """One expression with the name that its markers bear. It sees text; what is no UTF-8 stands in it as surrogates."""

    rule: str
    pattern: re.Pattern[str]
    needs: tuple[bytes, ...] = ()
    by_name: bool = False

    def apply(self, data: bytes, mark: Mark) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        pieces = [self._masked(text, start, end, mark) for start, end in _windows(text, self.pattern)]
        return "".join(pieces).encode("utf-8", "surrogateescape")

    def _masked(self, text: str, start: int, end: int, mark: Mark) -> str:
        return self.pattern.sub(lambda match: self._marker(match[0], mark), text[start:end])

    def _marker(self, secret: str, mark: Mark) -> str:
        return mark(self.rule, secret.encode("utf-8", "surrogateescape")).decode() if secret else secret


def _windows(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Pieces of bounded length, cut where no hit lies across: an expression may take the square of the length."""
    start = 0
    while len(text) - start > WINDOW_CHARACTERS:
        end = start + WINDOW_CHARACTERS
        around = text[end - OVERLAP_CHARACTERS : end + OVERLAP_CHARACTERS]
        for hit in pattern.finditer(around):
            if hit.start() < OVERLAP_CHARACTERS < hit.end():
                end += hit.start() - OVERLAP_CHARACTERS or -1
        yield start, end
        start = end
    yield start, len(text)


def seems_endless(pattern: re.Pattern[str]) -> bool:
    """True if it takes exponential time on text made of what it speaks of itself: `(a+)+b` on `aaaa`."""
    letters = dict.fromkeys([*pattern.pattern, "a", "0", " "])
    pairs = dict.fromkeys("".join(pair) for pair in pairwise(pattern.pattern))
    return any(_is_endless_on(pattern, piece) for piece in [*letters, *pairs][:200])


def _is_endless_on(pattern: re.Pattern[str], piece: str) -> bool:
    for length in _PROBE_LENGTHS:
        began = time.process_time()
        pattern.search(piece * length + "\0")
        if time.process_time() - began > _PROBE_MAX_S:
            return True
    return False
