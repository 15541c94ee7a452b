"""Secrets that were masked because of their name, known again where they stand under another one.

A request's cookie becomes a parameter `id`, a form's password one of `crypt($1, ...)`: the name that gave them away
is gone. In replay the application gets the marker in place of the secret, and passes that on: both sides are masked
alike.
"""

from __future__ import annotations

import re
from typing import Final

from timetracer_otel.redaction.markers import MARKER_BYTES, Mark

SHORTEST: Final = 6
"""Bytes: what is shorter stands for too many other things, even as a whole value."""
SHORTEST_PART: Final = 16
"""Bytes: what is shorter is not looked for inside of other data."""
LONGEST_PART: Final = 4096
MOST: Final = 1000
_ESCAPED: Final = re.compile(rb"[^ !#-.0-\[\]-~]")
"""What JSON may spell in another way."""
MOST_PARTS: Final = 64


class Memory:
    """Of one trace. Threads share it: the worst of a race is that a secret is remembered twice."""

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self.markers: dict[bytes, bytes] = {}
        """Secret -> the marker that first stood for it."""
        self.long: tuple[tuple[bytes, bytes], ...] = ()
        """Those that are masked inside of other data too."""
        self.short: tuple[bytes, ...] = ()
        """Those that are masked only where they are a whole string, of JSON or of plain data."""

    def mark(self, rule: str, value: bytes) -> bytes:
        """A `Mark` that remembers. A secret that is known keeps its first marker, whatever it is called now."""
        known = self.markers.get(value)
        if known is not None:
            return known
        return self.learn(value, self._mark(rule, value))

    def learn(self, value: bytes, marker: bytes) -> bytes:
        """That this marker stands for the secret; beyond the limits it is forgotten."""
        if len(value) >= SHORTEST and len(self.markers) < MOST and not MARKER_BYTES.search(value):
            self.markers[value] = marker
            if SHORTEST_PART <= len(value) <= LONGEST_PART and len(self.long) < MOST_PARTS:
                self.long = (*self.long, (value, marker))
            elif len(value) < SHORTEST_PART and len(self.short) < MOST_PARTS:
                self.short = (*self.short, value)
        return marker

    def is_in(self, data: bytes) -> bool:
        """True if a known secret stands somewhere in `data`."""
        return bool(self.long) and any(secret in data for secret, _ in self.long)

    def may_be_string_in(self, data: bytes) -> bool:
        """False if no known secret is a whole string of `data`, JSON."""
        if not self.short:
            return False
        return any(b'"' + secret + b'"' in data for secret in self.short) or (
            b"\\" in data and any(_ESCAPED.search(secret) for secret in self.short)
        )

    def scrub(self, data: bytes) -> bytes:
        """`data` with the known secrets masked wherever they stand; the same object when there is none."""
        for secret, marker in self.long:
            if secret in data:
                data = data.replace(secret, marker)
        return data
