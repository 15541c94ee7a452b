"""Text inside of text, percent-encoded: `go to https%3A%2F%2Fshop.example%2F%3Ftoken%3Dabc`, also more than once.

It is decoded, masked by all other rules and, where one hits, encoded again.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from timetracer_otel.redaction.markers import Mark, percent_encoded
from timetracer_otel.redaction.shapes import Match, Scrub

DEPTH: Final = 8
"""Encodings of encodings; what lies deeper is masked as a whole."""
# It begins after something that is no part of it: else each letter of a long word would be a beginning.
_RUN: Final = re.compile(rb"(?<![\w.~*+/-])[\w.~*+/-]*(?:%[0-9A-Fa-f]{2}[\w.~*+/-]*)+")
_ASSIGNS: Final = re.compile(rb"%(?:25)*(?:3[DdAa]|40)")
"""An equals sign, a colon, an at."""


class EncodedText:
    """A shape (`shapes.Shape`)."""

    needs = (b"%3", b"%40", b"%25")
    by_name = False

    def __init__(self, scrub: Scrub) -> None:
        """`scrub` masks plain text by the other shapes."""
        self._scrub = scrub

    def apply(self, data: bytes, mark: Mark) -> bytes:
        """`data` with its hits masked."""
        return self._masked(data, mark, 0)

    def _masked(self, data: bytes, mark: Mark, depth: int) -> bytes:
        return _RUN.sub(lambda run: self._run(run, mark, depth), data)

    def _run(self, run: Match, mark: Mark, depth: int) -> bytes:
        if not _ASSIGNS.search(run[0]):
            return run[0]
        decoded = unquote_to_bytes(run[0])
        if depth == DEPTH:
            return percent_encoded(mark("unredactable", decoded))
        masked = self._masked(self._scrub(decoded, mark), mark, depth + 1)
        return run[0] if masked == decoded else quote_from_bytes(masked, safe="/*+" if b"/" in run[0] else "").encode()
