"""What was found out about large data, for when the same comes again: pictures, models and files of settings do."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from timetracer_otel.config import MIB

KEPT_MAX_BYTES: Final = 4 * MIB
"""Of data, together, that is kept to be compared with."""
_ENDS: Final = 64

T = TypeVar("T")


class Recent(Generic[T]):
    """Findings about the last few pieces of data. Threads share it: the worst of a race is that one is forgotten.

    Data is compared, not hashed: that is exact, and takes a tenth of the time.
    """

    def __init__(self, max_bytes: int = KEPT_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._known: dict[tuple[int, bytes, bytes], tuple[bytes, T]] = {}

    def get(self, data: bytes) -> T | None:
        """What was put for equal data; None if that is not known any more."""
        known = self._known.get(_key(data))
        return known[1] if known is not None and known[0] == data else None

    def put(self, data: bytes, finding: T) -> None:
        """Keeps it, and if there is no room for it lets all others go."""
        if len(data) > self._max_bytes:
            return
        if sum(len(kept) for kept, _ in list(self._known.values())) + len(data) > self._max_bytes:
            self._known = {}
        self._known[_key(data)] = (data, finding)


def _key(data: bytes) -> tuple[int, bytes, bytes]:
    return len(data), data[:_ENDS], data[-_ENDS:]
