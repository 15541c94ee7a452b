"""Secrets that were masked because of their name, known again where they stand under another one.

A request's cookie becomes a parameter `id`, a form's password one of `crypt($1, ...)`: the name that gave them away
is gone. In replay the application gets the marker in place of the secret, and passes that on: both sides are masked
alike.
"""

from __future__ import annotations

from typing import Final

from timetracer_otel.redaction.markers import MARKER_BYTES, Mark

SHORTEST: Final = 6
"""Bytes: what is shorter stands for too many other things."""
MOST: Final = 1000


class Memory:
    """Of one trace. Threads share it: the worst of a race is that a secret is remembered twice."""

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self.markers: dict[bytes, bytes] = {}
        """Secret -> the marker that first stood for it."""

    def mark(self, rule: str, value: bytes) -> bytes:
        """A `Mark` that remembers. A secret that is known keeps its first marker, whatever it is called now."""
        known = self.markers.get(value)
        if known is not None:
            return known
        marker = self._mark(rule, value)
        if len(value) >= SHORTEST and len(self.markers) < MOST and not MARKER_BYTES.fullmatch(value):
            self.markers[value] = marker
        return marker
