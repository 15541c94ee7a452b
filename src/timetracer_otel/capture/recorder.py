"""The tape of a recording process: spans and exchanges come in, finished parts go to the sink.

Rules (design §5): a segment is handed over when its root ended and no span is open, without timers. What finishes later
becomes a further part. What happens before the first entry is the environment; later roots that are not entries are
dropped and counted. One lock, held for memory only.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from timetracer_otel.capture import guard, process
from timetracer_otel.capture.keep import is_kept
from timetracer_otel.capture.segments import EnvironmentBatch, SegmentBatch, SegmentState, Sink
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Connection, Generated, Payload
from timetracer_otel.config import Settings

PART_MAX_SPANS: Final = 2000
CLOSED_MAX: Final = 10_000
"""Ended spans by which late children and late answers still find their segment."""
CONNECTIONS_MAX: Final = 10_000
GENERATED_MAX: Final = 1_000
SUPPRESSED: Final = "suppress_instrumentation"
"""The plain key that `opentelemetry.instrumentation.utils.suppress_instrumentation` sets beside its unique one."""


class Recorder:
    """Implements `capture.table.Tape`; `exporters.SegmentProcessor` feeds the spans."""

    def __init__(self, settings: Settings, sink: Sink) -> None:
        self._settings, self._sink = settings, sink
        self._connections: dict[int, Connection] = {}
        self._inherited: dict[int, int] = {}
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, SegmentState] = {}
        self._closed: dict[int, SegmentState] = {}
        self._environment: list[Captured] | None = []
        self._environment_size = self._environment_part = self._numbers = self._in_flight = 0
        self._reported: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        """Losses of this process by reason since its last part."""

    def after_fork(self) -> None:
        """The child owns nothing of the parent: no span, no exchange, no count. Connections it may go on using."""
        self._inherited = {span_id: segment.root_id for span_id, segment in self._open.items()}
        self._reset()

    # ---- spans -------------------------------------------------------------------------------------------------------

    def span_started(self, trace_id: int, span_id: int, parent: SpanContext | None, kind: SpanKind) -> None:
        """Finds or opens the segment of a span that begins."""
        batch = None
        with self._lock:
            segment = self._segment_of(trace_id, parent)
            if segment is None:
                segment = self._new_segment(trace_id, span_id, parent, kind)
                batch = self._end_environment() if segment.is_entry else None
            segment.open_spans += 1
            self._open[span_id] = segment
        if batch is not None:
            self._sink.put(batch)

    def _segment_of(self, trace_id: int, parent: SpanContext | None) -> SegmentState | None:
        if parent is None or parent.is_remote:
            return None
        segment = self._open.get(parent.span_id) or self._closed.get(parent.span_id)
        return segment if segment is not None and segment.trace_id == trace_id else None

    def _new_segment(self, trace_id: int, span_id: int, parent: SpanContext | None, kind: SpanKind) -> SegmentState:
        parent_segment = self._inherited.get(parent.span_id) if parent is not None else None
        is_local_root = parent is None or parent.is_remote
        is_entry = parent_segment is not None or (is_local_root and kind not in (SpanKind.CLIENT, SpanKind.PRODUCER))
        return SegmentState(trace_id, span_id, is_entry, parent_segment)

    def span_ended(self, span: ReadableSpan) -> None:
        """Adds a span to its segment; hands the segment over when that was the last one."""
        context = span.get_span_context()
        if context is None:
            return
        with self._lock:
            segment = self._open.pop(context.span_id, None)
            if segment is None:
                segment = self._unseen(span, context)
            self._remember(context.span_id, segment)
            segment.spans.append(span)
            segment.open_spans -= 1
            if context.span_id == segment.root_id:
                segment.root_ended, segment.root_start_ns = True, span.start_time or 0
                segment.is_kept = is_kept(self._settings.keep, segment.spans)
            batch = self._hand_over(segment)
        if batch is not None:
            self._sink.put(batch)

    def _unseen(self, span: ReadableSpan, context: SpanContext) -> SegmentState:
        """A span that began before we were there, or that comes by `export` from a provider without our processor."""
        segment = self._segment_of(context.trace_id, span.parent) or self._new_segment(
            context.trace_id, context.span_id, span.parent, span.kind
        )
        segment.open_spans += 1
        return segment

    def _remember(self, span_id: int, segment: SegmentState) -> None:
        self._closed[span_id] = segment
        if len(self._closed) > CLOSED_MAX:
            del self._closed[next(iter(self._closed))]

    def _hand_over(self, segment: SegmentState, is_last: bool = False) -> SegmentBatch | None:
        """The part that is due now, if one is."""
        is_done = segment.root_ended and segment.open_spans == 0
        is_large = len(segment.spans) >= PART_MAX_SPANS and self._settings.keep.everything and segment.is_entry
        if not (is_done or is_large or is_last):
            return None
        if not segment.is_entry:
            self._leave(segment)
            return None
        if segment.is_kept is False or (segment.is_kept is None and not self._settings.keep.everything):
            self._forget(segment)
            return None
        return self._batch(segment, is_done)

    def _batch(self, segment: SegmentState, is_done: bool) -> SegmentBatch:
        for captured in segment.exchanges:
            captured.is_written = True
        batch = SegmentBatch(
            trace_id=segment.trace_id,
            root_id=segment.root_id,
            root_start_ns=segment.root_start_ns,
            part=segment.part,
            complete=is_done,
            spans=segment.spans,
            exchanges=segment.exchanges,
            process_id=process.process_id(),
            parent_segment=segment.parent_segment,
            connections=tuple(self._connections[n] for n in sorted(segment.connections) if n in self._connections),
            generated=segment.generated,
            dropped=self._losses(segment.dropped),
        )
        segment.part += 1
        segment.spans, segment.exchanges, segment.generated = [], [], []
        return batch

    def _losses(self, own: Counter[str]) -> dict[str, int]:
        """What was lost since the last part: the segment's own, the process's, and failures inside the guard."""
        failures = guard.failures - self._reported
        self._reported += failures
        losses = own + self.dropped + Counter({f"guard.{tap}": count for tap, count in failures.items()})
        own.clear()
        self.dropped.clear()
        return dict(losses)

    def _leave(self, segment: SegmentState) -> None:
        """A root that is no entry: its exchanges belong to the environment, or to nothing."""
        if self._environment is None:
            self.dropped["not_entry"] += len(segment.exchanges)
            self._forget(segment)
            return
        for captured in segment.exchanges:
            self._to_environment(captured)
        segment.spans, segment.exchanges, segment.generated = [], [], []

    def _forget(self, segment: SegmentState) -> None:
        self._in_flight -= sum(captured.size for captured in segment.exchanges if captured.dropped is None)
        segment.spans, segment.exchanges, segment.generated = [], [], []

    # ---- environment -------------------------------------------------------------------------------------------------

    def entry_began(self) -> None:
        if self._environment is None:
            return
        with self._lock:
            batch = self._end_environment()
        if batch is not None:
            self._sink.put(batch)

    def _end_environment(self) -> EnvironmentBatch | None:
        if self._environment is None:
            return None
        exchanges, self._environment = self._environment, None
        return self._environment_batch(exchanges)

    def _environment_batch(self, exchanges: list[Captured]) -> EnvironmentBatch:
        for captured in exchanges:
            captured.is_written = True
        part, self._environment_part = self._environment_part, self._environment_part + 1
        connections = tuple(self._connections.values())
        return EnvironmentBatch(process.identity(), part, exchanges, connections, self._losses(Counter()))

    def _to_environment(self, captured: Captured) -> None:
        captured.segment, captured.span_id = None, None
        if self._environment is not None:
            self._environment.append(captured)

    # ---- exchanges: the tape -----------------------------------------------------------------------------------------

    def open(
        self, driver: str, request: object, connection: int | None = None, transaction: int | None = None
    ) -> Captured | None:
        current = otel_context.get_current()
        if current.get(SUPPRESSED) is not None:
            return None
        context = trace.get_current_span(current).get_span_context()
        with self._lock:
            segment = self._open.get(context.span_id) or self._closed.get(context.span_id)
            if segment is None and self._environment is None:
                if not context.is_valid:
                    self.dropped["no_span"] += 1
                return None
            self._numbers += 1
            captured = Captured(driver, request, connection, transaction)
            captured.number = self._numbers
            if segment is None:
                self._to_environment(captured)
                return captured
            captured.segment, captured.span_id = segment, context.span_id
            segment.exchanges.append(captured)
            if connection is not None:
                segment.connections.add(connection)
        return captured

    def close(self, captured: Captured, result: object, size: int, complete: bool = True) -> None:
        batch: SegmentBatch | EnvironmentBatch | None = None
        with self._lock:
            captured.closed_ns = time.time_ns()
            captured.result, captured.complete = result, complete
            self._account(captured, size)
            segment = captured.segment
            if captured.is_written:
                self._revise(captured)
            if segment is not None and segment.root_ended and segment.open_spans == 0:
                batch = self._hand_over(segment)
            elif segment is None and captured.is_written:
                batch = self._environment_batch([captured])
        if batch is not None:
            self._sink.put(batch)

    def _revise(self, captured: Captured) -> None:
        captured.rev += 1
        if captured.segment is not None:
            captured.is_written = False
            captured.segment.exchanges.append(captured)

    def _account(self, captured: Captured, size: int) -> None:
        captured.size = size
        reason = self._over_limit(captured)
        if reason is None:
            self._in_flight += size
            if captured.segment is not None:
                captured.segment.size += size
            elif self._environment is not None:
                self._environment_size += size
            return
        # The payload goes, the exchange stays and says so: replay refuses the call with this reason.
        captured.dropped, captured.result = reason, None
        (captured.segment.dropped if captured.segment is not None else self.dropped)[reason] += 1

    def _over_limit(self, captured: Captured) -> str | None:
        settings, segment, size = self._settings, captured.segment, captured.size
        if size > settings.payload_max_bytes:
            return "limit"
        if self._in_flight + size > settings.in_flight_max_bytes:
            return "in_flight"
        if segment is not None and segment.size + size > settings.trace_max_bytes:
            return "trace"
        if segment is None and self._environment_size + size > settings.environment_max_bytes:
            return "environment"
        return None

    def connected(self, number: int, driver: str, target: str, parameters: Payload) -> None:
        with self._lock:
            self._connections[number] = Connection(number, driver, target, parameters)
            if len(self._connections) > CONNECTIONS_MAX:
                del self._connections[next(iter(self._connections))]

    def generated(self, site: str, value: uuid.UUID) -> None:
        """A uuid4 made under the current span; the writer keeps those that an exchange or the outcome shows."""
        context = trace.get_current_span().get_span_context()
        with self._lock:
            segment = self._open.get(context.span_id)
            if segment is None:
                return
            index = segment.sites[site]
            segment.sites[site] += 1
            if len(segment.generated) < GENERATED_MAX:
                segment.generated.append(Generated("uuid4", site, index, value.hex))
            else:
                segment.dropped["generated"] += 1

    # ---- the writer's side -------------------------------------------------------------------------------------------

    def written(self, size: int) -> None:
        """`size` bytes of payloads have left memory."""
        with self._lock:
            self._in_flight -= size

    def flush(self, timeout_s: float) -> bool:
        """Hands over what is open, marked incomplete; True when all of it is on disk."""
        with self._lock:
            batches = self._unfinished()
        for batch in batches:
            self._sink.put(batch)
        return self._sink.flush(timeout_s)

    def _unfinished(self) -> list[SegmentBatch | EnvironmentBatch]:
        batches: list[SegmentBatch | EnvironmentBatch] = []
        if self._environment:
            exchanges, self._environment = self._environment, []
            batches.append(self._environment_batch(exchanges))
        states = {id(state): state for state in (*self._open.values(), *self._closed.values())}
        for segment in states.values():
            if segment.is_entry and (segment.spans or segment.exchanges):
                batch = self._hand_over(segment, is_last=True)
                if batch is not None:
                    batches.append(batch)
        return batches
