"""Segments in the making: one local root span with its descendants in this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias

from timetracer_otel.capture.budget import size_of
from timetracer_otel.capture.keep import is_error
from timetracer_otel.capture.limits import (
    ACQUIRES_MAX,
    GENERATED_MAX,
    HELD_MAX,
    LATE_IDS_MAX,
    PART_MAX_BYTES,
    PART_MAX_SPANS,
)

if TYPE_CHECKING:
    import uuid

    from opentelemetry.sdk.trace import ReadableSpan

    from timetracer_otel.capture.connections import Known
    from timetracer_otel.capture.table import Captured, Spill
    from timetracer_otel.cassette.model import Acquire, Connection


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
        "is_held",
        "is_kept",
        "is_pressing",
        "is_server",
        "is_spooled",
        "name",
        "open_spans",
        "parent_segment",
        "part",
        "pools",
        "root_ended",
        "root_id",
        "root_start_ns",
        "sites",
        "size",
        "spans",
        "spooled_ids",
        "trace_id",
        "unwritten",
    )

    def __init__(
        self,
        trace_id: int,
        root_id: int,
        is_entry: bool,
        is_server: bool = False,
        parent_segment: int | None = None,
        root_start_ns: int = 0,
        name: str = "",
    ) -> None:
        self.trace_id = trace_id
        self.root_id = root_id
        self.is_entry = is_entry
        self.is_server = is_server
        self.parent_segment = parent_segment
        self.name = name
        """Of the root span: as it began, until it has ended."""
        self.open_spans = 0
        self.root_ended = False
        self.root_start_ns = root_start_ns
        self.is_kept: bool | None = None
        """None until TIMETRACER_KEEP has decided."""
        self.is_pressing = False
        """A tap wants the next part now (`Captured.press`)."""
        self.is_held = self.is_spooled = False
        """Parts of it wait in `pending/` for that decision; exchanges of its next part are in a spool."""
        self.spooled_ids = 0
        """So many of `generated` have gone to that spool."""
        self.part = 0
        self.size = 0
        """Bytes of payload since it began."""
        self.unwritten = 0
        """Those that no part has taken yet."""
        self.spans: list[ReadableSpan] = []
        self.exchanges: list[Captured] = []
        self.generated: list[Made] = []
        self.pools: list[tuple[int, Acquire]] = []
        """By the span under which a connection was asked for."""
        # A Counter takes ten times as long to make, and most segments have nothing to count.
        self.sites: defaultdict[str, int] = defaultdict(int)
        self.connections: dict[int, Known | None] = {}
        """Those that it uses, as it found them."""
        """For its next part."""
        self.dropped: defaultdict[str, int] = defaultdict(int)

    @property
    def is_full(self) -> bool:
        """True when no more exchanges fit in, though their payloads would."""
        return len(self.exchanges) >= HELD_MAX

    @property
    def is_large(self) -> bool:
        """True when a part may be due before the root has ended."""
        return self.is_pressing or self.unwritten >= PART_MAX_BYTES or len(self.spans) >= PART_MAX_SPANS

    def is_due_early(self, has_room: bool) -> bool:
        """Whether it is. Payloads of what may be forgotten yet wait while memory `has_room`, not to be written for
        nothing."""
        if self.is_kept is None and has_room:
            return self.is_pressing or len(self.spans) >= PART_MAX_SPANS
        return self.is_large

    def add(self, span: ReadableSpan) -> None:
        """Beyond the limit only the root and what failed stay: TIMETRACER_KEEP asks for those."""
        if len(self.spans) < HELD_MAX or self._is_root(span) or is_error(span):
            self.spans.append(span)
        else:
            self.dropped["spans"] += 1

    def add_all(self, spans: Sequence[ReadableSpan]) -> None:
        if len(self.spans) + len(spans) <= HELD_MAX:
            self.spans += spans
        else:
            for span in spans:
                self.add(span)

    def _is_root(self, span: ReadableSpan) -> bool:
        return span.context is not None and span.context.span_id == self.root_id

    def log_id(self, site: str, value: uuid.UUID) -> None:
        """The next id that this call site made."""
        index = self.sites[site]
        self.sites[site] += 1
        if len(self.generated) < GENERATED_MAX:
            self.generated.append((site, index, value))
        else:
            self.dropped["generated"] += 1

    def add_acquire(self, span_id: int, acquire: Acquire) -> None:
        if len(self.pools) < ACQUIRES_MAX:
            self.pools.append((span_id, acquire))
        else:
            self.dropped["pools"] += 1

    def take_part(
        self, is_done: bool, is_final: bool, connections: tuple[Connection, ...], dropped: Mapping[str, int]
    ) -> SegmentBatch:
        """What has come up since the last part; it is no longer here.

        While more is to come (not `is_final`), what is not finished stays: open exchanges, and the root, whose part
        says whether the segment is complete.
        """
        spans, exchanges = self._take(is_final)
        for captured in exchanges:
            captured.is_written = True
        batch = SegmentBatch(
            trace_id=self.trace_id,
            root_id=self.root_id,
            root_start_ns=self.root_start_ns,
            part=self.part,
            complete=is_done,
            spans=spans,
            exchanges=exchanges,
            is_server=self.is_server,
            is_held=self.is_kept is None,
            size=size_of(exchanges),
            parent_segment=self.parent_segment,
            name=self.name,
            connections=connections,
            generated=self.generated,
            pools=self.pools,
            dropped=dropped,
        )
        self.part += 1
        self.unwritten, self.pools, self.is_pressing = 0, [], False
        if is_final:
            self.generated = self.generated[-LATE_IDS_MAX:]
            self.connections = {}  # what comes late names its own: there may be a part for each answer
        if is_done:
            self.rest()
        return batch

    def _take(self, is_final: bool) -> tuple[list[ReadableSpan], list[Captured]]:
        spans, exchanges = self.spans, self.exchanges
        if is_final:
            self.spans, self.exchanges = [], []
            return spans, exchanges
        self.spans = [span for span in spans if self._is_root(span)]
        self.exchanges = [captured for captured in exchanges if not captured.closed_ns]
        root, waiting = set(map(id, self.spans)), set(map(id, self.exchanges))
        return [s for s in spans if id(s) not in root], [c for c in exchanges if id(c) not in waiting]

    def spooled(self, captured: Captured, connections: tuple[Connection, ...]) -> tuple[SpoolBatch, ...]:
        """One exchange for the spool of the part that comes next. With the first one goes the entry, which is open
        still: what the process was asked for outlives it."""
        if not self.is_spooled:
            self.is_spooled, self.spooled_ids = True, 0
            entries = [each for each in self.exchanges if each.is_entry and not each.closed_ns]
        else:
            entries = []
        made, self.spooled_ids = tuple(self.generated[self.spooled_ids :]), len(self.generated)
        batches = [SpoolBatch(self, self.part, each, connections) for each in entries]
        return (*batches, SpoolBatch(self, self.part, captured, connections, made))

    def empty(self) -> None:
        """Nothing of what memory holds is wanted."""
        self.spans, self.exchanges, self.generated, self.pools, self.unwritten = [], [], [], [], 0

    def rest(self) -> None:
        """It has ended, and is only remembered: containers that hold nothing go, until something is put in again.

        Ten thousand segments are remembered, and Python's collector walks over every container.
        """
        for name in _CONTAINERS:
            if not getattr(self, name):
                delattr(self, name)

    if not TYPE_CHECKING:  # else any name would pass for an attribute

        def __getattr__(self, name: str) -> object:
            """A container that went."""
            make = _CONTAINERS.get(name)
            if make is None:
                raise AttributeError(name)
            made = make()
            setattr(self, name, made)
            return made


_CONTAINERS: Final[Mapping[str, Callable[[], object]]] = {
    "spans": list,
    "exchanges": list,
    "generated": list,
    "pools": list,
    "sites": partial(defaultdict, int),
    "connections": dict,
    "dropped": partial(defaultdict, int),
}
"""Of a SegmentState."""


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
    is_held: bool = False
    """TIMETRACER_KEEP has not decided yet: it waits in `pending/` for a `KeepDecision`."""
    size: int = 0
    """Bytes of payloads, as the recorder counts them: what `Recorder.written` gives back."""
    parent_segment: int | None = None
    name: str = ""
    connections: tuple[Connection, ...] = ()
    generated: list[Made] = field(default_factory=list)
    pools: list[tuple[int, Acquire]] = field(default_factory=list)
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


@dataclass(frozen=True, slots=True)
class SpoolBatch:
    """One exchange of a segment whose process may be killed before its part is due: a closed one, or its entry.

    `segment` may have gone on since; of it only what never changes is read.
    """

    segment: SegmentState
    part: int
    captured: Captured
    connections: tuple[Connection, ...] = ()
    generated: tuple[Made, ...] = ()
    """Since the last one."""
    is_server: ClassVar[bool] = False
    size: ClassVar[int] = 0
    dropped: ClassVar[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class KeepDecision:
    """What becomes of that which waits in `pending/` for a segment."""

    trace_id: int
    root_id: int
    is_kept: bool
    is_server: bool = False
    size: ClassVar[int] = 0
    dropped: ClassVar[Mapping[str, int]] = {}


Batch: TypeAlias = "SegmentBatch | EnvironmentBatch | SpoolBatch | KeepDecision"

Key: TypeAlias = "tuple[int, int] | None"
"""Trace id and root span id of a segment; None for an environment, whose parts need no order."""


def key_of(batch: Batch) -> Key:
    """Batches with the same key are written in the order in which they were decided."""
    if isinstance(batch, EnvironmentBatch):
        return None
    owner = batch.segment if isinstance(batch, SpoolBatch) else batch
    return owner.trace_id, owner.root_id


class Sink(Protocol):
    """The writer. `put` returns at once on an event loop; it calls `Recorder.written` when the bytes have left
    memory."""

    def put(self, batch: Batch) -> None: ...

    def prepare(self) -> None:
        """As `Tape.prepare`."""

    def spill(self, captured: Captured, released: Callable[[int], None]) -> Spill | None:
        """As `Tape.spill`."""

    def flush(self, timeout_s: float) -> bool:
        """True when everything put so far is on disk."""
