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
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from timetracer_otel.capture import limits
from timetracer_otel.capture.budget import Budget, size_of
from timetracer_otel.capture.connections import Connections
from timetracer_otel.capture.current import IS_VALID, KEY, SPAN_ID, current_context, span_in
from timetracer_otel.capture.environment import EnvironmentState
from timetracer_otel.capture.keep import is_kept
from timetracer_otel.capture.lineage import Lineage
from timetracer_otel.capture.losses import Losses
from timetracer_otel.capture.orphans import Orphans
from timetracer_otel.capture.outbox import Outbox
from timetracer_otel.capture.segments import Batch, EnvironmentBatch, KeepDecision, SegmentBatch, SegmentState, Sink
from timetracer_otel.capture.table import Captured, Spill

if TYPE_CHECKING:
    from timetracer_otel.cassette.model import Acquire, Payload
    from timetracer_otel.config import Settings

_PARENT: Final = attrgetter("parent")
SUPPRESSED: Final = "suppress_instrumentation"
"""The plain key that `opentelemetry.instrumentation.utils.suppress_instrumentation` sets beside its unique one."""


class Recorder:
    """Implements `capture.table.Tape`; `exporters.SegmentProcessor` feeds the spans."""

    def __init__(self, settings: Settings, sink: Sink) -> None:
        self._settings, self._sink = settings, sink
        self._connections = Connections()
        self._lineage = Lineage(settings.keep)
        self._reset()

    def _reset(self) -> None:
        # Re-entrant: the garbage collector may run a finalizer of the app, which ends a span, while we hold it.
        self._lock = threading.RLock()
        self._orphans = Orphans()
        self._outbox = Outbox()
        self._environment = EnvironmentState()
        self._numbers = 0
        self._budget = Budget(self._settings)
        self._losses = Losses()

    @property
    def dropped(self) -> Counter[str]:
        """Losses of this process by reason since its last part."""
        return self._losses.counts

    def after_fork(self) -> None:
        """The child owns nothing of the parent: no span, no exchange, no count. Connections it may go on using."""
        self._lineage = self._lineage.of_child()
        self._reset()

    # ---- spans -------------------------------------------------------------------------------------------------------

    def span_started(
        self,
        trace_id: int,
        span_id: int,
        parent: SpanContext | None,
        kind: SpanKind,
        start_ns: int,
        name: str = "",
    ) -> None:
        """Finds or opens the segment of a span that begins. A request always opens one after the root of its parent has
        ended: a server may begin it in the context of the request before it on the same connection."""
        with self._lock:
            segment = self._lineage.parent_segment_of(trace_id, parent)
            if segment is None or (segment.root_ended and kind is SpanKind.SERVER):
                segment = self._lineage.begin(trace_id, span_id, parent, kind, start_ns, name)
                if parent is not None and segment.parent_segment is not None:
                    self._environment.move(parent.span_id, segment)
                if segment.is_entry:
                    self._outbox.add(self._end_environment(segment.is_server))
            segment.open_spans += 1
            self._lineage.open[span_id] = segment
            if len(self._lineage.open) > limits.OPEN_MAX:
                self._outbox.add(*self._abandoned())
        self._send()

    def _abandoned(self) -> tuple[Batch, ...]:
        """The span that is open for the longest time is taken for one that never ends; and what it leaves behind."""
        opened = self._lineage.open
        segment = opened.pop(next(iter(opened)))
        segment.open_spans -= 1
        self.dropped["open"] += 1
        is_empty = not (segment.spans or segment.exchanges)
        return () if segment.open_spans or is_empty else self._due(segment, is_last=True)

    def _send(self) -> None:
        while self._outbox.has_some:
            with self._lock:
                batch = self._outbox.take()
            if batch is None:
                return
            try:
                self._sink.put(batch)
            finally:
                with self._lock:
                    self._outbox.given(batch)

    @property
    def has_open(self) -> bool:
        """Whether any span has begun here and not ended."""
        return bool(self._lineage.open)

    def is_open(self, span_id: int) -> bool:
        """Whether this span has begun here and not ended."""
        return span_id in self._lineage.open

    def span_ended(self, span: ReadableSpan) -> None:
        """Adds a span to its segment; hands the segment over when that was the last one."""
        context = span.get_span_context()
        if context is None:
            return
        with self._lock:
            segment = self._lineage.add(span, context)
            self._outbox.add(*self._due(segment))
        self._send()

    def spans_exported(self, spans: Sequence[ReadableSpan]) -> None:
        """Adds ended spans that were never announced, in any order; those whose parent is unknown wait for it."""
        with self._lock:
            grown: dict[SegmentState, None] = {}
            for parent, siblings in groupby((span for span in spans if span.context is not None), _PARENT):
                grown.update(dict.fromkeys(self._adopt(parent, list(siblings))))
            for segment in grown:
                self._outbox.add(*self._due(segment))
        self._send()

    def _adopt(self, parent: SpanContext | None, siblings: list[ReadableSpan]) -> list[SegmentState]:
        """The segments that grew; none while the spans wait for their parent."""
        if parent is not None and not parent.is_remote and not self._lineage.is_known(parent.trace_id, parent):
            if dropped := self._orphans.add(parent.span_id, siblings):
                self.dropped["orphan"] += dropped
            return []
        return [self._adopt_one(span, span.context) for span in siblings if span.context is not None]

    def _adopt_one(self, span: ReadableSpan, context: SpanContext) -> SegmentState:
        segment = self._lineage.add(span, context)
        for generation in self._orphans.descendants(context.span_id):
            self._lineage.add_all(generation, segment)
        return segment

    def _due(self, segment: SegmentState, is_last: bool = False) -> tuple[Batch, ...]:
        """What goes to the writer now, if anything does."""
        is_done = segment.root_ended and segment.open_spans == 0
        if not (is_done or is_last or (segment.is_large and segment.is_entry)):
            return ()
        if not segment.is_entry:
            self._leave(segment)
            return ()
        self._decide(segment, is_last)
        if segment.is_kept is False:
            return self._forget(segment)
        return (*self._decision(segment), self._part(segment, is_done, is_final=is_done or is_last))

    def _decide(self, segment: SegmentState, is_last: bool) -> None:
        """A segment that the end of the process cuts off is kept: nobody knows what it would have become."""
        if segment.is_kept is None:
            is_wanted = is_last or is_kept(self._settings.keep, segment.root_id, segment.spans)
            segment.is_kept = True if is_wanted else False if segment.root_ended else None

    def _part(self, segment: SegmentState, is_done: bool, is_final: bool) -> SegmentBatch:
        batch = segment.take_part(
            is_done, is_final, self._connections.of(segment.connections), self._losses.take(segment.dropped)
        )
        segment.is_held = segment.is_held or batch.is_held
        segment.is_spooled = False  # whoever writes the part takes the spool away
        return batch

    def _decision(self, segment: SegmentState) -> tuple[Batch, ...]:
        """For what waits in `pending/`, once it is known."""
        if segment.is_kept is None or not (segment.is_held or (segment.is_spooled and not segment.is_kept)):
            return ()
        segment.is_held = segment.is_spooled = False
        return (KeepDecision(segment.trace_id, segment.root_id, segment.is_kept, segment.is_server),)

    def _leave(self, segment: SegmentState) -> None:
        """A root that is no entry: its exchanges belong to the environment, or to nothing."""
        if self._environment.exchanges is None:
            self.dropped["not_entry"] += len(segment.exchanges)
            self._forget(segment)
            return
        for captured in segment.exchanges:
            self._environment.add(captured)
            self._budget.to_environment(captured)
        segment.empty()

    def _forget(self, segment: SegmentState) -> tuple[Batch, ...]:
        self._budget.in_flight -= size_of(segment.exchanges)
        for captured in segment.exchanges:
            captured.is_forgotten = True
        segment.empty()
        return self._decision(segment)

    # ---- environment -------------------------------------------------------------------------------------------------

    def entry_began(self) -> None:
        if self._environment.exchanges is None:
            return
        with self._lock:
            self._outbox.add(self._end_environment(is_server=True))
        self._send()

    def _end_environment(self, is_server: bool) -> EnvironmentBatch | None:
        exchanges, self._environment.exchanges = self._environment.exchanges, None
        if exchanges or (exchanges is not None and self._connections.all()):
            return self._environment_batch(exchanges, is_server)
        return None

    def _environment_batch(self, exchanges: list[Captured], is_server: bool = False) -> EnvironmentBatch:
        return self._environment.take_part(exchanges, is_server, self._connections.all(), self._losses.take(Counter()))

    # ---- exchanges: the tape -----------------------------------------------------------------------------------------

    def listens(self) -> bool:
        """Without the lock: whoever comes a moment too late is told by `open`.

        Written out, for what the sampler drops is to cost next to nothing.
        """
        if self._environment.exchanges is not None:
            return True
        span: Any = current_context().get(KEY)
        if span is None:
            return True
        context = span.get_span_context()
        return not context[IS_VALID] or self._lineage.owner(context[SPAN_ID]) is not None

    def open(
        self,
        driver: str,
        request: object,
        connection: int | None = None,
        transaction: int | None = None,
        is_entry: bool = False,
    ) -> Captured | None:
        current = current_context()
        if current.get(SUPPRESSED) is not None:
            return None
        context = span_in(current)
        with self._lock:
            segment = self._lineage.owner(context.span_id)
            if segment is not None and segment.is_kept is False:
                return None
            if segment is not None and segment.is_full:
                segment.dropped["exchanges"] += 1
                return None
            if segment is None and self._environment.exchanges is None:
                if not context.is_valid:
                    self.dropped["no_span"] += 1
                return None
            if segment is None and self._environment.is_full:
                self.dropped["exchanges"] += 1
                return None
            self._numbers += 1
            captured = Captured(driver, request, connection, transaction, is_entry)
            captured.number = self._numbers
            if segment is None:
                self._environment.add(
                    captured, context.span_id if self._lineage.is_inherited(context.span_id) else None
                )
                return captured
            captured.segment, captured.span_id = segment, context.span_id
            segment.exchanges.append(captured)
            if connection is not None:
                segment.connections.add(connection)
        return captured

    def close(
        self, captured: Captured, result: object, size: int, complete: bool = True, dropped: str | None = None
    ) -> None:
        with self._lock:
            if captured.is_forgotten:
                return
            captured.closed_ns = time.time_ns()
            captured.result, captured.complete = result, complete
            if dropped is not None:
                captured.size = size
                self._count_drop(captured, dropped)
            elif (reason := self._budget.charge(captured, size)) is not None:
                captured.result = None
                self._count_drop(captured, reason)
            self._outbox.add(*self._due_after(captured))
        self._send()

    def _due_after(self, captured: Captured) -> tuple[Batch, ...]:
        """What goes to the writer when an answer has ended."""
        segment = captured.segment
        if captured.is_written:
            self._revise(captured)
        if segment is None:
            return (self._environment_batch([captured]),) if captured.is_written else ()
        if (segment.root_ended and segment.open_spans == 0) or segment.is_large:
            return self._due(segment)
        # An entry ends where its root does, a moment later: it is not worth a file.
        if self._lineage.is_forked and segment.is_entry and not segment.is_server and not captured.is_entry:
            return segment.spooled(captured, self._connections.of(segment.connections))
        return ()

    def discard(self, captured: Captured) -> None:
        with self._lock:
            exchanges = captured.segment.exchanges if captured.segment is not None else self._environment.exchanges
            if exchanges is not None and captured in exchanges:
                exchanges.remove(captured)
                self._budget.release(captured)

    def _count_drop(self, captured: Captured, reason: str) -> None:
        # The payload goes, the exchange stays and says so: replay refuses the call with this reason.
        captured.dropped = reason
        (captured.segment.dropped if captured.segment is not None else self.dropped)[reason] += 1

    def _revise(self, captured: Captured) -> None:
        captured.rev += 1
        if captured.segment is not None:
            captured.is_written = False
            captured.segment.exchanges.append(captured)

    def spill(self, captured: Captured, released: Callable[[int], None]) -> Spill | None:
        return self._sink.spill(captured, released)

    def connected(self, number: int, driver: str, target: str, parameters: Payload) -> None:
        from timetracer_otel.cassette.model import Connection

        with self._lock:
            self._connections.add(Connection(number, driver, target, parameters))

    def acquired(self, acquire: Acquire) -> None:
        context = span_in(current_context())
        with self._lock:
            segment = self._lineage.owner(context.span_id)
            if segment is not None and segment.is_kept is not False:
                segment.add_acquire(context.span_id, acquire)

    def generated(self, site: str, value: uuid.UUID) -> None:
        """A uuid4 made under the current span; the writer keeps those that an exchange or the outcome shows."""
        context = span_in(current_context())
        with self._lock:
            segment = self._lineage.owner(context.span_id)
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
            self.dropped.update(batch.dropped)
            self.dropped[reason] += 1

    def flush(self, timeout_s: float, is_last: bool = False) -> bool:
        """Hands over what is open, marked incomplete; True when all of it is on disk.

        `is_last` at shutdown: spans that still wait for a parent are handed over too, and segments of which
        TIMETRACER_KEEP does not know yet whether they are wanted.
        """
        with self._lock:
            if is_last:
                for parent_id, spans in self._orphans.families():
                    self._lineage.begin_without_root(parent_id, spans)
            self._outbox.add(*self._unfinished(is_last))
        self._send()
        return self._sink.flush(timeout_s)

    def _unfinished(self, is_last: bool) -> list[Batch]:
        batches: list[Batch] = []
        if exchanges := self._environment.exchanges:
            self._environment.exchanges = []
            batches.append(self._environment_batch(exchanges))
        for segment in self._lineage.segments():
            is_decided = segment.is_kept is not None or is_last
            if segment.is_entry and is_decided and (segment.spans or segment.exchanges):
                batches += self._due(segment, is_last=True)
        return batches
