"""What differs between any two recordings although nothing is wrong: the rules of replay, for two that are recorded.

Ids that the application made, by one-to-one mapping; instants, each within its own recording; secrets, of which two
processes make different markers.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Hashable, Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from types import NoneType
from typing import Final

from timetracer_otel.cassette import end_ns, start_ns
from timetracer_otel.cassette.escaping import shown
from timetracer_otel.cassette.model import Cassette, Value
from timetracer_otel.drivers.base import Slot
from timetracer_otel.redaction.markers import MARKER, unmarked
from timetracer_otel.replay.instants import Window, window
from timetracer_otel.replay.origin import Origins

MADE: Final = "an id that the application made"
CLOCK: Final = "read from the clock while it was recorded"
REDACTED: Final = "redacted: the values cannot be compared"
REASONS: Final = {"uuid4": MADE, "object_id": MADE, "instant": CLOCK}
STAND_IN: Final = "[redacted:value#000000]"

_EPOCH_S: Final = (1e9, 1e10)
"""Seconds since 1970 between 2001 and 2286; a thousand times as many are milliseconds."""
_HTTP_DATE: Final = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


class Noise:
    """Of one comparison of `a` with `b`."""

    def __init__(self, a: Cassette, b: Cassette) -> None:
        limits = _window(b)
        self._origins = Origins(_ids(a), _window(a), lambda: limits)
        for found in _ids(b):
            try:
                self._origins.made(uuid.UUID(found))
            except ValueError:  # a stranger's cassette says so
                continue
        self._is_one_process = not _processes(a).isdisjoint(_processes(b))

    def trait_a(self, slot: Slot) -> Hashable:
        """Equal for two slots that are the same or may be found to be."""
        return self._origins.recorded_trait(self._unmarked(slot))

    def trait_b(self, slot: Slot) -> Hashable:
        return self._origins.asked_trait(self._unmarked(slot))

    def excuse(self, a: Slot, b: Slot) -> str | None:
        """Why two slots that differ are no difference; None if they are one."""
        was, now = self._unmarked(a), self._unmarked(replace(b, path=a.path))
        if was.key == now.key:
            return REDACTED
        proof = self._origins.proves([was], [now])
        # A secret that is masked in one recording alone is a finding, not noise.
        if not proof or any(each.kind == "redacted" for each in proof):
            return None
        self._origins.bind(proof)
        return REASONS[proof[0].kind]

    def _unmarked(self, slot: Slot) -> Slot:
        """Without the digests of markers, unless one process made them: then another digest is another secret."""
        if self._is_one_process or not slot.text or not MARKER.search(slot.text):
            return slot
        text = unmarked(slot.text)
        return replace(slot, key=("redacted", text), text=text)


def hidden(slot: Slot) -> Slot:
    """Of a place where redaction was: a number that stands in for a secret is taken for a marker."""
    if slot.key is None or MARKER.search(slot.text or ""):
        return slot
    return replace(slot, text=STAND_IN, instant_ns=None)


def slot_of(path: str, value: Value) -> Slot:
    """Of any value of an answer."""
    return Slot(path, _key(value), value, value if isinstance(value, str) else None, _instant_ns(value))


def _key(value: Value) -> Hashable:
    """1, 1.0 and True are three, and NaN is one."""
    return type(value).__name__, value if isinstance(value, (str, bytes, int, NoneType)) else shown(value)


def _instant_ns(value: Value) -> int | None:
    if isinstance(value, str):
        return _http_date_ns(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if _EPOCH_S[0] < value < _EPOCH_S[1]:
        return int(value * 1_000_000_000)
    return int(value * 1_000_000) if _EPOCH_S[0] * 1e3 < value < _EPOCH_S[1] * 1e3 else None


def _http_date_ns(text: str) -> int | None:
    if not _HTTP_DATE.fullmatch(text):
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        return None


def _ids(cassette: Cassette) -> Iterator[str]:
    made = (each for segment in cassette.segments for each in segment.generated)
    return (each.value for each in made if each.kind == "uuid4")


def _processes(cassette: Cassette) -> frozenset[str]:
    return frozenset(segment.process.id for segment in cassette.segments)


def _window(cassette: Cassette) -> Window:
    """Of the whole trace: what one segment made, another may have been told."""
    timed = [segment for segment in cassette.segments if segment.spans]
    return window(min(map(start_ns, timed), default=0), max(map(end_ns, timed), default=0))
