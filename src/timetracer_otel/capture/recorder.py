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
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from timetracer_otel.capture import guard, limits
from timetracer_otel.capture.budget import Budget, size_of
from timetracer_otel.capture.keep import is_kept
from timetracer_otel.capture.orphans import Orphans
from timetracer_otel.capture.segments import Batch, EnvironmentBatch, SegmentBatch, SegmentState, Sink
from timetracer_otel.capture.table import Captured, Spill

if TYPE_CHECKING:
    from timetracer_otel.cassette.model import Connection, Payload
    from timetracer_otel.config import Settings

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
        # Re-entrant: the garbage collector may run a finalizer of the app, which ends a span, while we hold it.
        self._lock = threading.RLock()
        self._open: dict[int, SegmentState] = {}
        self._closed: dict[int, SegmentState] = {}
        self._orphans = Orphans()
        self._environment: list[Captured] | None = []
        self._environment_part = self._numbers = 0
        self._budget = Budget(self._settings)
        self._reported: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        """Losses of this process by reason since its last part."""

    def after_fork(self) -> None:
        """The child owns nothing of the parent: no span, no exchange, no count. Connections it may go on using."""
        self._inherited = {span_id: segment.root_id for span_id, segment in self._open.items()}
        self._reset()

    # ---- spans -------------------------------------------------------------------------------------------------------

    def span_started(
        self, trace_id: int, span_id: int, parent: SpanContext | None, kind: SpanKind, start_ns: int
    ) -> None:
        """Finds or opens the segment of a span that begins. A request always opens one after the root of its parent has
        ended: a server may begin it in the context of the request before it on the same connection."""
        batch = None
        with self._lock:
            segment = self._segment_of(trace_id, parent)
            if segment is None or (segment.root_ended and kind is SpanKind.SERVER):
                segment = self._new_segment(trace_id, span_id, parent, kind, start_ns)
                batch = self._end_environment(segment.is_server) if segment.is_entry else None
            segment.open_spans += 1
            self._open[span_id] = segment
            abandoned = self._abandoned() if len(self._open) > limits.OPEN_MAX else None
        self._put(batch, abandoned)

    def _abandoned(self) -> SegmentBatch | None:
        """The span that is open for the longest time is taken for one that never ends; and what it leaves behind."""
        segment = self._open.pop(next(iter(self._open)))
        segment.open_spans -= 1
        self.dropped["open"] += 1
        is_empty = not (segment.spans or segment.exchanges)
        return None if segment.open_spans or is_empty else self._hand_over(segment, is_last=True)

    def _put(self, *batches: Batch | None) -> None:
        for batch in batches:
            if batch is not None:
                self._sink.put(batch)

    def _segment_of(self, trace_id: int, parent: SpanContext | None) -> SegmentState | None:
        if parent is None or parent.is_remote:
            return None
        segment = self._open.get(parent.span_id) or self._closed.get(parent.span_id)
        return segment if segment is not None and segment.trace_id == trace_id else None

    def _new_segment(
        self, trace_id: int, span_id: int, parent: SpanContext | None, kind: SpanKind, start_ns: int
    ) -> SegmentState:
        parent_segment = self._inherited.get(parent.span_id) if parent is not None else None
        is_entry = parent_segment is not None or kind not in (SpanKind.CLIENT, SpanKind.PRODUCER)
        return SegmentState(trace_id, span_id, is_entry, kind is SpanKind.SERVER, parent_segment, start_ns)

    def span_ended(self, span: ReadableSpan) -> None:
        """Adds a span to its segment; hands the segment over when that was the last one."""
        context = span.get_span_context()
        if context is None:
            return
        with self._lock:
            segment = self._add(span, context)
            batch = self._hand_over(segment)
        self._put(batch)

    def spans_exported(self, spans: Iterable[ReadableSpan]) -> None:
        """Adds ended spans that were never announced, in any order; those whose parent is unknown wait for it."""
        with self._lock:
            grown = dict.fromkeys(self._adopt(span) for span in spans)
            batches = [self._hand_over(segment) for segment in grown if segment is not None]
        self._put(*batches)

    def _adopt(self, span: ReadableSpan) -> SegmentState | None:
        """The segment that grew; None while the span waits for its parent."""
        context, parent = span.get_span_context(), span.parent
        if context is None:
            return None
        if parent is not None and not parent.is_remote and not self._is_known(context.trace_id, parent):
            self.dropped["orphan"] += self._orphans.add(parent.span_id, span)
            return None
        segment = self._add(span, context)
        for child in self._orphans.descendants(context.span_id):
            if child.context is not None:
                self._add(child, child.context, segment)
        return segment

    def _is_known(self, trace_id: int, parent: SpanContext) -> bool:
        return self._segment_of(trace_id, parent) is not None or parent.span_id in self._inherited

    def _add(self, span: ReadableSpan, context: SpanContext, known: SegmentState | None = None) -> SegmentState:
        segment = self._open.pop(context.span_id, None)
        if segment is None:
            segment = known or self._segment_of_unseen(span, context)
            segment.open_spans += 1
        self._remember(context.span_id, segment)
        segment.add(span)
        segment.open_spans -= 1
        if context.span_id == segment.root_id:
            segment.root_ended = True
            segment.is_kept = is_kept(self._settings.keep, segment.spans)
        return segment

    def _segment_of_unseen(self, span: ReadableSpan, context: SpanContext) -> SegmentState:
        """A span that began before we were there, or that comes by `export` from a provider without our processor."""
        return self._segment_of(context.trace_id, span.parent) or self._new_segment(
            context.trace_id, context.span_id, span.parent, span.kind, span.start_time or 0
        )

    def _remember(self, span_id: int, segment: SegmentState) -> None:
        self._closed[span_id] = segment
        if len(self._closed) > limits.CLOSED_MAX:
            del self._closed[next(iter(self._closed))]

    def _hand_over(self, segment: SegmentState, is_last: bool = False) -> SegmentBatch | None:
        """The part that is due now, if one is."""
        is_done = segment.root_ended and segment.open_spans == 0
        is_large = len(segment.spans) >= limits.PART_MAX_SPANS and self._settings.keep.everything and segment.is_entry
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
        used = tuple(self._connections[n] for n in sorted(segment.connections) if n in self._connections)
        return segment.take_part(is_done, used, self._losses(segment.dropped))

    def _losses(self, own: Counter[str]) -> dict[str, int]:
        """What was lost since the last part: the segment's own, the process's, and failures inside the guard."""
        failures = guard.counts() - self._reported
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
            self._budget.to_environment(captured)
        segment.spans, segment.exchanges, segment.generated = [], [], []

    def _forget(self, segment: SegmentState) -> None:
        self._budget.in_flight -= size_of(segment.exchanges)
        segment.spans, segment.exchanges, segment.generated = [], [], []

    # ---- environment -------------------------------------------------------------------------------------------------

    def entry_began(self) -> None:
        if self._environment is None:
            return
        with self._lock:
            batch = self._end_environment(is_server=True)
        self._put(batch)

    def _end_environment(self, is_server: bool) -> EnvironmentBatch | None:
        if self._environment is None:
            return None
        exchanges, self._environment = self._environment, None
        return self._environment_batch(exchanges, is_server) if exchanges or self._connections else None

    def _environment_batch(self, exchanges: list[Captured], is_server: bool = False) -> EnvironmentBatch:
        for captured in exchanges:
            captured.is_written = True
        part, self._environment_part = self._environment_part, self._environment_part + 1
        connections = tuple(self._connections.values())
        losses = self._losses(Counter())
        return EnvironmentBatch(part, exchanges, is_server, size_of(exchanges), connections, losses)

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
            if segment is not None and segment.is_full:
                segment.dropped["exchanges"] += 1
                return None
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

    def close(
        self, captured: Captured, result: object, size: int, complete: bool = True, dropped: str | None = None
    ) -> None:
        batch: Batch | None = None
        with self._lock:
            captured.closed_ns = time.time_ns()
            captured.result, captured.complete = result, complete
            reason = dropped or self._budget.charge(captured, size)
            if reason is not None:
                self._drop(captured, reason)
            segment = captured.segment
            if captured.is_written:
                self._revise(captured)
            if segment is not None and segment.root_ended and segment.open_spans == 0:
                batch = self._hand_over(segment)
            elif segment is None and captured.is_written:
                batch = self._environment_batch([captured])
        self._put(batch)

    def discard(self, captured: Captured) -> None:
        with self._lock:
            exchanges = captured.segment.exchanges if captured.segment is not None else self._environment
            if exchanges is not None and captured in exchanges:
                exchanges.remove(captured)

    def _drop(self, captured: Captured, reason: str) -> None:
        # The payload goes, the exchange stays and says so: replay refuses the call with this reason.
        captured.dropped, captured.result = reason, None
        (captured.segment.dropped if captured.segment is not None else self.dropped)[reason] += 1

    def _revise(self, captured: Captured) -> None:
        captured.rev += 1
        if captured.segment is not None:
            captured.is_written = False
            captured.segment.exchanges.append(captured)

    def spill(self, released: Callable[[int], None]) -> Spill | None:
        return self._sink.spill(released)

    def connected(self, number: int, driver: str, target: str, parameters: Payload) -> None:
        from timetracer_otel.cassette.model import Connection

        with self._lock:
            self._connections[number] = Connection(number, driver, target, parameters)
            if len(self._connections) > limits.CONNECTIONS_MAX:
                del self._connections[next(iter(self._connections))]

    def generated(self, site: str, value: uuid.UUID) -> None:
        """A uuid4 made under the current span; the writer keeps those that an exchange or the outcome shows."""
        context = trace.get_current_span().get_span_context()
        with self._lock:
            segment = self._open.get(context.span_id) or self._closed.get(context.span_id)
            if segment is not None:
                segment.log_id(site, value)

    # ---- the writer's side -------------------------------------------------------------------------------------------

    def written(self, batch: Batch) -> None:
        """Its payloads have left memory."""
        with self._lock:
            self._budget.in_flight -= batch.size

    def lost(self, batch: Batch, reason: str) -> None:
        """It was not written: the next part says so, and repeats what this one had to say."""
        with self._lock:
            self._budget.in_flight -= batch.size
            self.dropped += Counter(batch.dropped)
            self.dropped[reason] += 1

    def flush(self, timeout_s: float, is_last: bool = False) -> bool:
        """Hands over what is open, marked incomplete; True when all of it is on disk.

        `is_last` at shutdown: spans that still wait for a parent are handed over too, and TIMETRACER_KEEP decides by
        what it knows.
        """
        with self._lock:
            if is_last:
                self._settle()
            batches = self._unfinished()
        for batch in batches:
            self._sink.put(batch)
        return self._sink.flush(timeout_s)

    def _settle(self) -> None:
        for parent_id, spans in self._orphans.families():
            self._add_family(parent_id, spans)
        for segment in self._states():
            if segment.is_kept is None:
                segment.is_kept = is_kept(self._settings.keep, segment.spans) or None

    def _add_family(self, parent_id: int, spans: list[ReadableSpan]) -> None:
        trace_id = spans[0].context.trace_id if spans[0].context is not None else 0
        start_ns = min(span.start_time or 0 for span in spans)
        segment = SegmentState(trace_id, parent_id, is_entry=True, root_start_ns=start_ns)
        segment.spans = spans
        self._remember(parent_id, segment)

    def _states(self) -> Iterable[SegmentState]:
        return {id(state): state for state in (*self._open.values(), *self._closed.values())}.values()

    def _unfinished(self) -> list[Batch]:
        batches: list[Batch] = []
        if self._environment:
            exchanges, self._environment = self._environment, []
            batches.append(self._environment_batch(exchanges))
        for segment in self._states():
            if segment.is_entry and self._is_decided(segment) and (segment.spans or segment.exchanges):
                batch = self._hand_over(segment, is_last=True)
                if batch is not None:
                    batches.append(batch)
        return batches

    def _is_decided(self, segment: SegmentState) -> bool:
        return segment.is_kept is not None or self._settings.keep.everything
