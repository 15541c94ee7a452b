"""What this process captures before its first entry, in the making. Guarded by the recorder's lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from timetracer_otel.capture.budget import size_of
from timetracer_otel.capture.limits import HELD_MAX
from timetracer_otel.capture.segments import EnvironmentBatch, SegmentState

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.cassette.model import Connection


class EnvironmentState:
    """`exchanges` is None once the first entry has begun."""

    def __init__(self) -> None:
        self.exchanges: list[Captured] | None = []
        self._part = 0

    @property
    def is_full(self) -> bool:
        """True when no more exchanges fit in, though their payloads would: a process may never have an entry."""
        return self.exchanges is not None and len(self.exchanges) >= HELD_MAX

    def add(self, captured: Captured, span_id: int | None = None) -> None:
        """`captured` belongs to no segment; it is kept while the environment is open. `span_id`, in the child of a
        fork: the span of the parent under which it was made."""
        captured.segment, captured.span_id = None, span_id
        if self.exchanges is not None:
            self.exchanges.append(captured)

    def move(self, span_id: int, segment: SegmentState) -> None:
        """What was made under that span of the parent belongs to the segment that begins under it now."""
        moved = [one for one in self.exchanges or () if one.span_id == span_id]
        if moved:
            self.exchanges = [one for one in self.exchanges or () if one.span_id != span_id]
        for captured in moved:
            captured.segment = segment
            segment.exchanges.append(captured)

    def take_part(
        self,
        exchanges: list[Captured],
        is_server: bool,
        connections: tuple[Connection, ...],
        dropped: Mapping[str, int],
    ) -> EnvironmentBatch:
        for captured in exchanges:
            captured.is_written = True
        part, self._part = self._part, self._part + 1
        return EnvironmentBatch(part, exchanges, is_server, size_of(exchanges), connections, dropped)
