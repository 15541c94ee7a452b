"""The tape of a recording process: spans and exchanges come in, finished parts go to the sink.

One lock, held for memory only.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from timetracer_otel.capture import limits
from timetracer_otel.capture.budget import Budget
from timetracer_otel.capture.connections import Connections, Known
from timetracer_otel.capture.current import KEY, SPAN_ID, TRACE_ID, current_context, span_in
from timetracer_otel.capture.environment import EnvironmentState
from timetracer_otel.capture.lineage import OUTSIDE, Lineage, contexts_of, parent_getter
from timetracer_otel.capture.losses import Losses
from timetracer_otel.capture.orphans import Orphans
from timetracer_otel.capture.outbox import Outbox
from timetracer_otel.capture.parts import Parts
from timetracer_otel.capture.segments import Batch, SegmentState, Sink
from timetracer_otel.capture.table import Captured, Spill, hushed, take_out

if TYPE_CHECKING:
    from timetracer_otel.cassette.model import Acquire, Payload
    from timetracer_otel.config import Settings

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
        self._parts = Parts(self._settings, self._environment, self._connections, self._budget, self._losses)

    @property
    def dropped(self) -> Counter[str]:
        """Losses of no segment by reason since the last part."""
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
            if parent is None and kind in OUTSIDE:
                if not self._lineage.begin_outside(trace_id, span_id):
                    self.dropped["open"] += 1
                return
            segment = None if parent is None else self._lineage.parent_segment_of(trace_id, parent)
            if segment is None or (segment.root_ended and kind is SpanKind.SERVER):
                segment = self._lineage.begin(trace_id, span_id, parent, kind, start_ns, name)
                if parent is not None and segment.parent_segment is not None:
                    self._environment.move(parent.span_id, segment)
                if segment.is_entry:
                    self._outbox.add(self._parts.end_environment(segment.is_server, self._lineage.open.values()))
            self._lineage.opened(span_id, segment)
            if len(self._lineage.open) > limits.OPEN_MAX:
                self._outbox.add(*self._abandoned())
        if self._outbox.batches:
            self._send()

    def child_started(self, context: SpanContext, parent: SpanContext) -> bool:
        """True of a span that begins in a segment which goes on, as most do: that is all there is to say. Else it is
        one for `span_started`, which looks at what the span is."""
        with self._lock:
            segment = self._lineage.parent_segment_of(context[TRACE_ID], parent)
            if segment is None or segment.root_ended or len(self._lineage.open) >= limits.OPEN_MAX:
                return False
            self._lineage.opened(context[SPAN_ID], segment)
        return True

    def _abandoned(self) -> tuple[Batch, ...]:
        """What is left behind by a span that never ends."""
        segment = self._lineage.abandon_oldest()
        self.dropped["open"] += 1
        is_empty = not (segment.spans or segment.exchanges)
        return () if segment.open_spans or is_empty else self._parts.due(segment, is_last=True)

    def _send(self) -> None:
        while self._outbox.batches:
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
        return bool(self._lineage.open or self._lineage.open_outside)

    def is_open(self, span_id: int) -> bool:
        """Whether this span has begun here and not ended."""
        return span_id in self._lineage.open or span_id in self._lineage.open_outside

    def span_ended(self, span: ReadableSpan) -> None:
        """Adds a span to its segment; hands the segment over when that was the last one."""
        context = span.get_span_context()
        if context is None:
            return
        with self._lock:
            if context[SPAN_ID] in self._lineage.open_outside:
                self._lineage.end_outside(context[SPAN_ID])
                return
            segment = self._lineage.add(span, context)
            # Nothing is due otherwise, as of most spans.
            if (segment.root_ended or segment.is_large) and (batches := self._parts.due(segment)):
                self._outbox.add(*batches)
        if self._outbox.batches:
            self._send()

    def spans_exported(self, spans: Sequence[ReadableSpan]) -> None:
        """Adds ended spans that were never announced, in any order; those whose parent is unknown wait for it."""
        with self._lock:
            grown: dict[SegmentState, None] = {}
            contexts = contexts_of(spans)
            if None in contexts:
                spans = [span for span, context in zip(spans, contexts, strict=True) if context is not None]
            for parent, siblings in groupby(spans, parent_getter(spans)):
                grown.update(dict.fromkeys(self._adopt(parent, list(siblings))))
            for segment in grown:
                self._outbox.add(*self._parts.due(segment))
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

    def prepare(self) -> None:
        self._sink.prepare()

    # ---- environment -------------------------------------------------------------------------------------------------

    def entry_began(self) -> None:
        if self._environment.exchanges is None:
            return
        with self._lock:
            self._outbox.add(self._parts.end_environment(True, self._lineage.open.values()))
        self._send()

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
        try:
            context = span._context
        except AttributeError:  # no span of OpenTelemetry's own
            context = span.get_span_context()
        lineage, span_id = self._lineage, context[SPAN_ID]
        if span_id in lineage.owners or span_id in lineage.outside or not span_id:
            return True
        return lineage.is_forked and lineage.owner(span_id) is not None

    def segment(self) -> int:
        """Without the lock, as `listens`."""
        span_id = span_in(current_context())[SPAN_ID]
        if span_id in self._lineage.outside:  # left as it is: to make a segment of it needs the lock
            return span_id
        found = self._lineage.owner(span_id)
        return 0 if found is None else found.root_id

    def open(
        self,
        driver: str,
        request: object,
        connection: int | None = None,
        transaction: int | None = None,
        is_entry: bool = False,
    ) -> Captured | None:
        current = current_context()
        if current.get(SUPPRESSED) is not None or hushed.get():
            return None
        context = span_in(current)
        span_id, lineage = context[SPAN_ID], self._lineage
        with self._lock:
            segment = lineage.owners.get(span_id) or lineage.owner(span_id)
            if segment is not None:
                if segment.is_kept is False:
                    return None
                if segment.is_full:
                    segment.dropped["exchanges"] += 1
                    return None
            elif self._environment.exchanges is None:
                if not context.is_valid:
                    self.dropped["no_span"] += 1
                return None
            elif self._environment.is_full:
                self.dropped["exchanges"] += 1
                return None
            self._numbers += 1
            captured = Captured(driver, request, connection, transaction, is_entry)
            captured.number = self._numbers
            if segment is None:
                self._environment.add(captured, span_id if self._lineage.is_inherited(span_id) else None)
                return captured
            captured.segment, captured.span_id = segment, span_id
            segment.exchanges.append(captured)
            if connection is not None:
                segment.connections.setdefault(connection, self._connections.at_first(connection))
        return captured

    def close(
        self, captured: Captured, result: object, size: int, complete: bool = True, dropped: str | None = None
    ) -> None:
        with self._lock:
            if captured.is_forgotten:
                return
            captured.closed_ns = time.time_ns()
            captured.result, captured.complete, captured.told = result, complete, size
            captured.coded = None  # a spool may have it already, without what has come since
            if dropped is not None:
                captured.size = size
                self._count_drop(captured, dropped)
            else:
                self._charge(captured, size)
            if batches := self._due_after(captured):
                self._outbox.add(*batches)
        if self._outbox.batches:
            self._send()

    def grown(self, captured: Captured, size: int) -> None:
        if size >= 2 * captured.told:
            self.close(captured, captured.result, size, captured.complete)
            return
        with self._lock:
            if not (captured.is_written or captured.is_forgotten):
                self._charge(captured, size)

    def _charge(self, captured: Captured, size: int) -> None:
        reason = self._budget.charge(captured, size)
        if reason is not None:
            captured.result = None
            self._count_drop(captured, reason)

    def _due_after(self, captured: Captured) -> tuple[Batch, ...]:
        """What goes to the writer when an answer has ended."""
        segment = captured.segment
        if captured.is_written:
            self._revise(captured)
        if segment is None:
            return (self._parts.of_environment([captured]),) if captured.is_written else ()
        is_done = segment.root_ended and segment.open_spans == 0
        if (is_done or segment.is_large) and ((batches := self._parts.due(segment)) or is_done):
            return batches
        # An entry ends where its root does, a moment later: it is not worth a file.
        if self._lineage.is_forked and segment.is_entry and not segment.is_server and not captured.is_entry:
            return segment.spooled(captured, self._connections.of(self._spooled(captured, segment)))
        return ()

    def _spooled(self, captured: Captured, segment: SegmentState) -> Mapping[int, Known | None]:
        """All connections stand at the beginning of a spool; what comes later says its own at most."""
        if not segment.is_spooled:
            return segment.connections
        number = captured.connection
        return {} if number is None else {number: segment.connections.get(number)}

    def discard(self, captured: Captured) -> None:
        with self._lock:
            exchanges = captured.segment.exchanges if captured.segment is not None else self._environment.exchanges
            if exchanges and not captured.is_written and take_out(exchanges, captured):
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
            if captured.connection is not None:
                found = self._connections.at_first(captured.connection)
                captured.segment.connections.setdefault(captured.connection, found)

    def spill(self, captured: Captured, released: Callable[[int], None]) -> Spill | None:
        return self._sink.spill(captured, released)

    def connected(self, number: int, driver: str, target: str, parameters: Payload, has_changed: bool = False) -> None:
        from timetracer_otel.cassette.model import Connection

        with self._lock:
            self._connections.add(Connection(number, driver, target, parameters), has_changed)

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
            self._losses.untold.update(batch.dropped)
            self._losses.untold[reason] += 1

    def inherited(self, losses: Mapping[str, int]) -> None:
        """What dead processes lost and could not say: the next part says it for them."""
        with self._lock:
            self._losses.untold.update(losses)

    def untold(self) -> dict[str, int]:
        """Parts that were lost, by reason, and what they had to say, until the next part says it."""
        return dict(self._losses.untold)

    def flush(self, timeout_s: float, is_last: bool = False) -> bool:
        """Hands over what is open, marked incomplete; True when all of it is on disk.

        `is_last` at shutdown: spans that still wait for a parent are handed over too, and segments of which
        TIMETRACER_KEEP does not know yet whether they are wanted.
        """
        with self._lock:
            if is_last:
                for parent_id, spans in self._orphans.families():
                    self._lineage.begin_without_root(parent_id, spans)
            self._outbox.add(*self._parts.unfinished(self._lineage.segments(), is_last))
        self._send()
        return self._sink.flush(timeout_s)
