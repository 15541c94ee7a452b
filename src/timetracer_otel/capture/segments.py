"""Segments in the making: one local root span with its descendants in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Connection, Generated, Process

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class SegmentState:
    """What is known of a segment between its first span and its last part. Guarded by the recorder's lock."""

    __slots__ = (
        "connections",
        "dropped",
        "exchanges",
        "generated",
        "is_entry",
        "is_kept",
        "open_spans",
        "parent_segment",
        "part",
        "root_ended",
        "root_id",
        "root_start_ns",
        "sites",
        "size",
        "spans",
        "trace_id",
    )

    def __init__(self, trace_id: int, root_id: int, is_entry: bool, parent_segment: int | None) -> None:
        self.trace_id = trace_id
        self.root_id = root_id
        self.is_entry = is_entry
        self.parent_segment = parent_segment
        self.open_spans = 0
        self.root_ended = False
        self.root_start_ns = 0
        self.is_kept: bool | None = None
        """None until the root has ended and TIMETRACER_KEEP has decided."""
        self.part = 0
        self.size = 0
        self.spans: list[ReadableSpan] = []
        self.exchanges: list[Captured] = []
        self.generated: list[Generated] = []
        self.sites: Counter[str] = Counter()
        self.connections: set[int] = set()
        self.dropped: Counter[str] = Counter()


@dataclass(frozen=True, slots=True)
class SegmentBatch:
    """One part of a segment, on its way to the writer."""

    trace_id: int
    root_id: int
    root_start_ns: int
    part: int
    complete: bool
    spans: list[ReadableSpan]
    exchanges: list[Captured]
    process_id: str
    parent_segment: int | None = None
    connections: tuple[Connection, ...] = ()
    generated: list[Generated] = field(default_factory=list)
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnvironmentBatch:
    """One part of the environment of this process."""

    process: Process
    part: int
    exchanges: list[Captured]
    connections: tuple[Connection, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


class Sink(Protocol):
    """The writer. `put` returns at once on an event loop; it calls `Recorder.written` when the bytes have left
    memory."""

    def put(self, batch: SegmentBatch | EnvironmentBatch) -> None: ...

    def flush(self, timeout_s: float) -> bool:
        """True when everything put so far is on disk."""
