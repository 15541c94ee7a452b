"""Regular expressions of a rule file: checked when they are loaded (`slow_patterns`), bounded where they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from timetracer_otel.redaction.markers import Mark

WINDOW_CHARACTERS: Final = 4 * 1024
OVERLAP_CHARACTERS: Final = 1024
"""Of a window: a hit that begins before it and ends in it is whole."""
LONGEST_HIT_CHARACTERS: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class OwnPattern:
    """One expression with the name that its markers bear. It sees text; what is no UTF-8 stands in it as surrogates."""

    rule: str
    pattern: re.Pattern[str]
    needs: tuple[bytes, ...] = ()
    by_name: bool = False

    def apply(self, data: bytes, mark: Mark) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        pieces, end = list[str](), 0
        for hit in _hits(text, self.pattern):
            pieces += [text[end : hit.start()], self._marker(hit[0], mark)]
            end = hit.end()
        return "".join([*pieces, text[end:]]).encode("utf-8", "surrogateescape") if pieces else data

    def _marker(self, secret: str, mark: Mark) -> str:
        return mark(self.rule, secret.encode("utf-8", "surrogateescape")).decode() if secret else secret


def _hits(text: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """In windows: an expression may take the square of a length, and nothing else runs until it gives an answer."""
    start = 0
    while start < len(text):
        end, limit = start + WINDOW_CHARACTERS - OVERLAP_CHARACTERS, start + WINDOW_CHARACTERS
        for found in pattern.finditer(text, start, limit):
            if found.start() >= end:
                break
            may_go_on = found.end() == limit
            whole = pattern.match(text, found.start(), found.start() + LONGEST_HIT_CHARACTERS) if may_go_on else None
            yield whole or found
            start = (whole or found).end()
            if start >= end:
                break
        start = max(start, end)
