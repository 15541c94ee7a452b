"""Bytes of payload that this process may hold: by exchange, trace, environment and in all. Guarded by the recorder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.config import Settings


class Budget:
    """`in_flight` counts what is in memory, up to the moment when the writer has written it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.in_flight = 0
        self._environment = 0

    @property
    def has_room(self) -> bool:
        """True while more than half of it is left."""
        return 2 * self.in_flight < self._settings.in_flight_max_bytes

    def charge(self, captured: Captured, size: int) -> str | None:
        """The reason for which the payload must go, or None: then it is counted."""
        if captured.held and not captured.is_written:  # closed before, and still here: the new payload takes its place
            self._count(captured, -captured.held)
        captured.size, captured.held = size, 0
        reason = self._over_limit(captured)
        if reason is None:
            captured.held = size
            self._count(captured, size)
        return reason

    def release(self, captured: Captured) -> None:
        """It is gone, and was in no part."""
        self._count(captured, -captured.held)
        captured.held = 0

    def to_environment(self, captured: Captured) -> str | None:
        """Its segment turned out to be none. The reason for which the payload must go, or None."""
        if self._environment + captured.held > self._settings.environment_max_bytes:
            self.in_flight -= captured.held
            captured.held = 0
            return "environment"
        self._environment += captured.held
        return None

    def _count(self, captured: Captured, size: int) -> None:
        self.in_flight += size
        if captured.segment is not None:
            captured.segment.size += size
            captured.segment.unwritten += size
        else:
            self._environment += size

    def _over_limit(self, captured: Captured) -> str | None:
        settings, segment, size = self._settings, captured.segment, captured.size
        if size > settings.payload_max_bytes:
            return "limit"
        if self.in_flight + size > settings.in_flight_max_bytes:
            return "in_flight"
        if segment is not None and segment.size + size > settings.trace_max_bytes:
            return "trace"
        if segment is None and self._environment + size > settings.environment_max_bytes:
            return "environment"
        return None


def size_of(exchanges: Iterable[Captured]) -> int:
    """Bytes that are counted for them."""
    return sum(captured.held for captured in exchanges)
