"""Binds replayed traces to sessions: by baggage at the local root, by trace id from then on."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import CarrierT, Setter, default_setter
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags, format_span_id, format_trace_id

from timetracer_otel.cassette.model import Segment
from timetracer_otel.replay.journal import Journal
from timetracer_otel.replay.session import Session
from timetracer_otel.replay.spans_json import span_json
from timetracer_otel.replay.traces import Made

BAGGAGE: Final = "timetracer.replay"
OF: Final = "timetracer.replay.of"
TRACES_MAX: Final = 10_000
SPANS_MAX: Final = 10_000
DEPTH_MAX: Final = 64


def keep_to_ourselves() -> None:
    """What binds a trace is no baggage of the application's: it hands on what it had when it was recorded."""

    original = W3CBaggagePropagator.inject

    @functools.wraps(original)
    def inject(
        self: W3CBaggagePropagator,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        original(self, carrier, baggage.remove_baggage(BAGGAGE, context), setter)

    setattr(W3CBaggagePropagator, "inject", inject)  # noqa: B010  a method


class Bindings:
    """Which session a trace belongs to. Everything else belongs to the default session of the process."""

    def __init__(self, default: Session) -> None:
        self.default = default
        self._sessions: OrderedDict[int, Session] = OrderedDict()

    def bind(self, trace_id: int, session: Session) -> None:
        self._sessions[trace_id] = session
        if len(self._sessions) > TRACES_MAX:
            self._sessions.popitem(last=False)

    def unbind(self, trace_id: int) -> None:
        """It is the default session's again."""
        self._sessions.pop(trace_id, None)

    def of(self, trace_id: int) -> Session:
        """0, the id of no trace, has the default session."""
        return self._sessions.get(trace_id, self.default)

    def is_bound(self, trace_id: int) -> bool:
        return trace_id in self._sessions


class ReplaySpanProcessor(SpanProcessor):
    def __init__(
        self,
        bindings: Bindings,
        session_of: Callable[[str], tuple[Segment, Session] | None],
        journal: Journal,
        made: Made | None = None,
    ) -> None:
        """`session_of` finds the segment that baggage names; None for one that the cassette does not hold. `made` is
        told of each span."""
        self._bindings, self._session_of, self._journal = bindings, session_of, journal
        self._made = made or Made()
        self._lock = threading.Lock()
        self._spans: OrderedDict[int, Span] = OrderedDict()
        self._open: set[int] = set()
        self._entry: int | None = None
        """The span of the entry: the first root that is bound. Others are calls that the app makes to itself."""

    @property
    def has_open_spans(self) -> bool:
        return bool(self._open)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        context = span.get_span_context()
        with self._lock:
            self._spans[context.span_id] = span
            self._open.add(context.span_id)
            if len(self._spans) > SPANS_MAX:
                self._spans.popitem(last=False)
        is_root = span.parent is None or span.parent.is_remote
        ids = format_trace_id(context.trace_id), format_span_id(context.span_id)
        self._made.note(*ids, span, is_root=is_root)
        if is_root:
            self._bind(span, context.trace_id, baggage.get_baggage(BAGGAGE, parent_context))

    def _bind(self, root: Span, trace_id: int, wanted: object) -> None:
        found = self._session_of(wanted) if isinstance(wanted, str) else None
        # Celery's context outlives the root of its task: what receivers do then begins traces of its own.
        if found is None or self._bindings.default.is_past_entry:
            return
        segment, session = found
        self._bindings.bind(trace_id, session)
        if self._entry is None:
            self._entry = root.get_span_context().span_id
            self._bindings.default.entry_began()
        root.set_attribute(OF, segment.trace_id)
        recorded = SpanContext(int(segment.trace_id, 16), int(segment.id, 16), True, TraceFlags(TraceFlags.SAMPLED))
        root.add_link(recorded)

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is not None:
            with self._lock:
                self._open.discard(context.span_id)
            if context.span_id == self._entry:
                self._bindings.default.entry_ended()
        self._journal.write("span", span=span_json(span))

    def path(self) -> tuple[str, ...]:
        """Names from the local root down to the current span, as they are now: a root is renamed while it runs."""
        names: list[str] = []
        span = self._spans.get(trace.get_current_span().get_span_context().span_id)
        while span is not None and len(names) < DEPTH_MAX:
            names.append(span.name)
            parent = span.parent
            span = self._spans.get(parent.span_id) if parent is not None and not parent.is_remote else None
        return tuple(reversed(names))

    def shutdown(self) -> None:
        """Nothing to close: the journal outlives the provider."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True
