"""Which segment a span belongs to. Guarded by the recorder's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk import trace
from opentelemetry.trace import SpanContext, SpanKind

from timetracer_otel.capture.current import SPAN_ID
from timetracer_otel.capture.keep import is_kept_at_once
from timetracer_otel.capture.limits import CLOSED_MAX, OPEN_MAX
from timetracer_otel.capture.segments import SegmentState

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from timetracer_otel.config import Keep


OUTSIDE: Final = frozenset({SpanKind.CLIENT, SpanKind.PRODUCER})
"""Kinds of roots that are no entries."""
_SDKS_OWN: Final = frozenset[type]({trace.ReadableSpan, trace._Span})
"""A class of somebody else may say something else by its properties than what lies in the fields."""
_CONTEXT, _PARENT = attrgetter("_context"), attrgetter("_parent")


def contexts_of(spans: Sequence[ReadableSpan]) -> list[SpanContext | None]:
    """That of each. A property takes ten times as long as the field behind it."""
    is_own = _SDKS_OWN.issuperset(map(type, spans))
    return list(map(_CONTEXT, spans)) if is_own else [span.context for span in spans]


def parent_getter(spans: Sequence[ReadableSpan]) -> Callable[[ReadableSpan], SpanContext | None]:
    """What gives the parent of one of them."""
    return _PARENT if _SDKS_OWN.issuperset(map(type, spans)) else attrgetter("parent")


class Lineage:
    """Open spans, ended ones that late children and late answers still look for, and what a fork left to a child."""

    def __init__(self, keep: Keep, inherited: dict[int, int] | None = None) -> None:
        """`inherited`: spans that were open in the parent at the fork, with the roots of their segments there."""
        self._keep = keep
        self.open: dict[int, SegmentState] = {}
        """By span id, the one that began first coming first."""
        self.owners: dict[int, SegmentState] = {}
        """The same, and the ended ones that are remembered."""
        self.outside: dict[int, int] = {}
        """Roots that are no entries, open or remembered, under which nothing has come up: the trace of each. They are
        numbers, since a process may have nothing else, and Python's collector walks over every object: a segment is
        made of one when it is asked for."""
        self.open_outside: set[int] = set()
        # A dict walks over all that it has lost at its beginning, each time, to find what is its first now.
        self._ended: deque[int] = deque()
        self._inherited = inherited or {}
        self._heirs: dict[int, SegmentState] = {}
        self.is_forked = inherited is not None

    def of_child(self) -> Lineage:
        """What the child of a fork begins with."""
        inherited = {span_id: segment.root_id for span_id, segment in self.open.items()}
        inherited.update(zip(self.open_outside, self.open_outside, strict=True))
        return Lineage(self._keep, self._inherited | inherited)

    def begin_outside(self, trace_id: int, span_id: int) -> bool:
        """A root that is no entry has begun. False if one was forgotten for it, which never ended."""
        self.outside[span_id] = trace_id
        self.open_outside.add(span_id)
        if len(self.open_outside) <= OPEN_MAX:
            return True
        del self.outside[self.open_outside.pop()]
        return False

    def end_outside(self, span_id: int) -> None:
        """It has ended, and nothing has come up under it."""
        self.open_outside.discard(span_id)
        self._ended.append(span_id)
        if len(self._ended) > CLOSED_MAX:
            self._forget_oldest()

    def _from_outside(self, span_id: int) -> SegmentState | None:
        """The segment of such a root, if it is one, and no longer a number only."""
        trace_id = self.outside.pop(span_id, None)
        if trace_id is None:
            return None
        segment = SegmentState(trace_id, span_id, is_entry=False)
        if span_id in self.open_outside:
            self.open_outside.discard(span_id)
            self.opened(span_id, segment)
        else:
            segment.root_ended = True
            segment.rest()
            self.owners[span_id] = segment
        return segment

    def begin(
        self, trace_id: int, span_id: int, parent: SpanContext | None, kind: SpanKind, start_ns: int, name: str
    ) -> SegmentState:
        """A new segment, of which this span is the root."""
        parent_segment = self._inherited.get(parent.span_id) if parent is not None else None
        is_entry = parent_segment is not None or kind not in OUTSIDE
        segment = SegmentState(trace_id, span_id, is_entry, kind is SpanKind.SERVER, parent_segment, start_ns, name)
        if is_entry and is_kept_at_once(self._keep, trace_id):
            segment.is_kept = True
        if parent_segment is not None:
            self._heirs[parent_segment] = segment
        return segment

    def opened(self, span_id: int, segment: SegmentState) -> None:
        """A span of that segment has begun."""
        segment.open_spans += 1
        self.open[span_id] = self.owners[span_id] = segment

    def abandon_oldest(self) -> SegmentState:
        """The span that is open for the longest time is taken for one that never ends; its segment."""
        span_id = next(iter(self.open))
        segment = self.open.pop(span_id)
        del self.owners[span_id]
        segment.open_spans -= 1
        return segment

    def begin_without_root(self, root_id: int, spans: list[ReadableSpan]) -> None:
        """A segment of which only these spans have come: its root belongs to nobody here."""
        trace_id = spans[0].context.trace_id if spans[0].context is not None else 0
        start_ns = min(span.start_time or 0 for span in spans)
        segment = SegmentState(trace_id, root_id, is_entry=True, root_start_ns=start_ns)
        segment.spans = spans
        self.remember(root_id, segment)

    def parent_segment_of(self, trace_id: int, parent: SpanContext | None) -> SegmentState | None:
        """The segment of a span whose parent is this one; None if it is to be the root of its own."""
        if parent is None or parent.is_remote:
            return None
        segment = self.owners.get(parent.span_id) or self._from_outside(parent.span_id)
        return segment if segment is not None and segment.trace_id == trace_id else None

    def owner(self, span_id: int) -> SegmentState | None:
        """The segment of a span; in the child of a fork, of a span that the parent began, the child's latest."""
        found = self.owners.get(span_id) or self._from_outside(span_id)
        if found is None and self._heirs and span_id in self._inherited:
            found = self._heirs.get(self._inherited[span_id])
        return found

    def is_inherited(self, span_id: int) -> bool:
        """Whether the span was open in the parent at the fork."""
        return span_id in self._inherited

    def is_known(self, trace_id: int, parent: SpanContext) -> bool:
        return self.parent_segment_of(trace_id, parent) is not None or parent.span_id in self._inherited

    def add(self, span: ReadableSpan, context: SpanContext, known: SegmentState | None = None) -> SegmentState:
        """An ended span is in its segment then: that of its beginning, or `known` if it was never announced."""
        span_id = context[SPAN_ID]
        segment = self.open.pop(span_id, None)
        if segment is None:
            segment = known or self._segment_of_unseen(span, context)
        else:
            segment.open_spans -= 1
        self.remember(span_id, segment)
        segment.add(span)
        if span_id == segment.root_id:
            segment.root_ended, segment.name = True, span.name
        return segment

    def add_all(self, spans: list[ReadableSpan], segment: SegmentState) -> None:
        """As `add`, of descendants of a span of this segment, of which none is its root."""
        span_ids = [context[SPAN_ID] for context in contexts_of(spans) if context is not None]
        if self.open.keys().isdisjoint(span_ids):
            self._remember_all(span_ids, segment)
            segment.add_all(spans)
            return
        for span in spans:
            if span.context is not None:
                self.add(span, span.context, segment)

    def _segment_of_unseen(self, span: ReadableSpan, context: SpanContext) -> SegmentState:
        """A span that began before we were there, or that comes by `export` from a provider without our processor."""
        return self.parent_segment_of(context.trace_id, span.parent) or self.begin(
            context.trace_id, context.span_id, span.parent, span.kind, span.start_time or 0, span.name
        )

    def remember(self, span_id: int, segment: SegmentState) -> None:
        """The span has ended."""
        self.owners[span_id] = segment
        self._ended.append(span_id)
        if len(self._ended) > CLOSED_MAX:
            self._forget_oldest()

    def _remember_all(self, span_ids: Sequence[int], segment: SegmentState) -> None:
        self.owners.update(dict.fromkeys(span_ids, segment))
        self._ended += span_ids
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        ended = self._ended
        while len(ended) > CLOSED_MAX:
            span_id = ended.popleft()
            self.owners.pop(span_id, None)
            self.outside.pop(span_id, None)

    def segments(self) -> Collection[SegmentState]:
        """Each once."""
        return {id(segment): segment for segment in self.owners.values()}.values()
