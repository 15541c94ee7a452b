"""Segments in the making: one local root span with its descendants in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from timetracer_otel.capture.budget import size_of
from timetracer_otel.capture.keep import is_error
from timetracer_otel.capture.limits import GENERATED_MAX, HELD_MAX, LATE_IDS_MAX

if TYPE_CHECKING:
    import uuid

    from opentelemetry.sdk.trace import ReadableSpan

    from timetracer_otel.capture.table import Captured, Spill
    from timetracer_otel.cassette.model import Connection


Made: TypeAlias = "tuple[str, int, uuid.UUID]"
"""An id that the app made: the so many-th call of this call site gave this value."""


class SegmentState:
    """What is known of a segment between its first span and its last part. Guarded by the recorder's lock."""

    __slots__ = (
        "connections",
        "dropped",
        "exchanges",
        "generated",
        "is_entry",
        "is_kept",
        "is_server",
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

    def __init__(
        self,
        trace_id: int,
        root_id: int,
        is_entry: bool,
        is_server: bool = False,
        parent_segment: int | None = None,
        root_start_ns: int = 0,
    ) -> None:
        self.trace_id = trace_id
        self.root_id = root_id
        self.is_entry = is_entry
        self.is_server = is_server
        self.parent_segment = parent_segment
        self.open_spans = 0
        self.root_ended = False
        self.root_start_ns = root_start_ns
        self.is_kept: bool | None = None
        """None until the root has ended and TIMETRACER_KEEP has decided."""
        self.part = 0
        self.size = 0
        self.spans: list[ReadableSpan] = []
        self.exchanges: list[Captured] = []
        self.generated: list[Made] = []
        self.sites: Counter[str] = Counter()
        self.connections: set[int] = set()
        self.dropped: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """True when no more exchanges fit in, though their payloads would."""
        return len(self.exchanges) >= HELD_MAX

    def add(self, span: ReadableSpan) -> None:
        """Beyond the limit only the root and what failed stay: TIMETRACER_KEEP asks for those."""
        is_root = span.context is not None and span.context.span_id == self.root_id
        if len(self.spans) < HELD_MAX or is_root or is_error(span):
            self.spans.append(span)
        else:
            self.dropped["spans"] += 1

    def log_id(self, site: str, value: uuid.UUID) -> None:
        """The next id that this call site made."""
        index = self.sites[site]
        self.sites[site] += 1
        if len(self.generated) < GENERATED_MAX:
            self.generated.append((site, index, value))
        else:
            self.dropped["generated"] += 1

    def take_part(self, is_done: bool, connections: tuple[Connection, ...], dropped: Mapping[str, int]) -> SegmentBatch:
        """What has come up since the last part; it is no longer here."""
        for captured in self.exchanges:
            captured.is_written = True
        batch = SegmentBatch(
            trace_id=self.trace_id,
            root_id=self.root_id,
            root_start_ns=self.root_start_ns,
            part=self.part,
            complete=is_done,
            spans=self.spans,
            exchanges=self.exchanges,
            is_server=self.is_server,
            size=size_of(self.exchanges),
            parent_segment=self.parent_segment,
            connections=connections,
            generated=self.generated,
            dropped=dropped,
        )
        self.part += 1
        self.spans, self.exchanges, self.generated = [], [], self.generated[-LATE_IDS_MAX:]
        return batch


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
    is_server: bool = False
    """The root is of kind SERVER: its thread has a client waiting."""
    size: int = 0
    """Bytes of payloads, as the recorder counts them: what `Recorder.written` gives back."""
    parent_segment: int | None = None
    connections: tuple[Connection, ...] = ()
    generated: list[Made] = field(default_factory=list)
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnvironmentBatch:
    """One part of the environment of this process. Who that is, the writer looks up: it takes files to be read."""

    part: int
    exchanges: list[Captured]
    is_server: bool = False
    size: int = 0
    connections: tuple[Connection, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


Batch: TypeAlias = "SegmentBatch | EnvironmentBatch"


class Sink(Protocol):
    """The writer. `put` returns at once on an event loop; it calls `Recorder.written` when the bytes have left
    memory."""

    def put(self, batch: SegmentBatch | EnvironmentBatch) -> None: ...

    def spill(self, released: Callable[[int], None]) -> Spill | None:
        """As `Tape.spill`."""

    def flush(self, timeout_s: float) -> bool:
        """True when everything put so far is on disk."""
