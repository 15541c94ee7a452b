"""Batches on their way out of the recorder: those of one segment in the order in which they were decided.

Guarded by the recorder's lock, which is not held while a batch is handed over.
"""

from __future__ import annotations

from timetracer_otel.capture.segments import Batch, Key, key_of


class Outbox:
    """While one thread hands over a batch of a segment, the next one of that segment stays for it."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        """Those that wait."""
        self._under_way: set[Key] = set()

    def add(self, *batches: Batch | None) -> None:
        self.batches += [batch for batch in batches if batch is not None]

    def take(self) -> Batch | None:
        """The first that may go; None if there is none, or whoever is at its segment will find it."""
        for place, batch in enumerate(self.batches):
            key = key_of(batch)
            if key is None or key not in self._under_way:
                self._under_way.add(key)
                return self.batches.pop(place)
        return None

    def given(self, batch: Batch) -> None:
        """It has been handed over."""
        self._under_way.discard(key_of(batch))
