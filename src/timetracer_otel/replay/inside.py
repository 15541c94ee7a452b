"""Replay inside a process that is not its own, block after block or block within block: what a block puts in, its end
takes out.

Two things outlive a block. Its stub servers go on listening, since pools keep connections to them: the next block
claims those for itself. And a thread that the block has left behind still has the block's session, which answers
nothing any more: what it asks is a stray of that block.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import SpanContext

from timetracer_otel.capture import generated
from timetracer_otel.capture.frames import app_frame, library
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.replay import clock as clocks
from timetracer_otel.replay import greenlets
from timetracer_otel.replay.chance import Chance
from timetracer_otel.replay.draws import Draws
from timetracer_otel.replay.host import Host
from timetracer_otel.replay.identity import RecordedIds
from timetracer_otel.replay.journal import Event, Journal, Kind, MemoryJournal
from timetracer_otel.replay.library import Library, Recorded, question_of, requests_of, with_children
from timetracer_otel.replay.local import Here
from timetracer_otel.replay.network import REASON, Guards, Policy
from timetracer_otel.replay.origin import Origins
from timetracer_otel.replay.patience import Patience
from timetracer_otel.replay.processor import Bindings, ReplaySpanProcessor
from timetracer_otel.replay.redirecting import Redirection
from timetracer_otel.replay.report import Report, build
from timetracer_otel.replay.session import Session
from timetracer_otel.replay.sessions import library_of, recorded_clock, session_of
from timetracer_otel.replay.traces import Made
from timetracer_otel.replay.warm import spared

OVER: Final = "what was replayed had ended when it was asked"
SEND: Final = "send to"
UNCONTROLLED: Final = ("native sockets", "what was connected before the replay began")


class Block:
    """One replay: from `begin` until `end`."""

    def __init__(self, cassette: Cassette, segment: Segment) -> None:
        self.journal = MemoryJournal(keeps_spans=False)
        self._is_over = False
        whole = with_children(cassette, segment)
        with ExitStack() as undo:
            clock = _clock(whole, self.journal)
            undo.callback(clock.stop)
            patience = Patience()
            library_ = library_of(cassette, whole)
            self.session = session_of(
                *(cassette, whole, library_, clock, self.journal),
                missed=patience.end,
                here=Here(_process().draws, _process().made),
            )
            patience.install()
            undo.callback(patience.uninstall)
            self._undo = undo.pop_all()
        self._ids = RecordedIds(whole.generated, self.session.made)
        self._judge: Callable[[], Report] = functools.partial(_judged, cassette, whole, self.journal)
        for text in UNCONTROLLED:
            self.journal.write("uncontrolled", text=text)

    def bind(self, root: SpanContext) -> None:
        """Work under this span is the block's, whoever has its turn."""
        _process().bindings.bind(root.trace_id, self.session)

    def release(self, root: SpanContext) -> None:
        """Work that goes on under this span after the end is that of the block whose turn it is."""
        _process().bindings.unbind(root.trace_id)

    def report(self) -> Report:
        """What is known by now; after the end, as it was then."""
        return self._judge()

    def strays(self) -> list[Event]:
        """What was missed after the end, by threads that outlived it."""
        return self.journal.of("miss") if self._is_over else []

    def begin(self) -> None:
        """Raises ReplayError."""
        greenlets.check()
        self._undo.callback(setattr, generated, "source", generated.source)
        generated.source = self._id
        _process().push(self)

    def _id(self, site: str, _: Callable[[], uuid.UUID]) -> uuid.UUID | None:
        return self._ids.next(site) if _process().session() is self.session else None

    def end(self) -> None:
        """Everything is as it was before `begin`."""
        _process().pop(self)
        self._undo.close()
        final, self._is_over = self._judge(), True
        self._judge = lambda: final  # what it was made from is let go: a run has thousands of tests
        self.journal.events.clear()
        self.session.end(OVER)


def _clock(segment: Segment, log: Journal) -> clocks.Clock:
    if (reason := clocks.why_real()) is None:
        return recorded_clock(segment)
    log.write("uncontrolled", text=reason)
    return clocks.RealClock()


def _judged(cassette: Cassette, segment: Segment, journal: MemoryJournal) -> Report:
    taken = {event["exchange"] for event in journal.of("take")}
    known = spared(requests_of(segment.exchanges), taken, question_of)
    events = [*journal.events, *({"event": "take", "exchange": name} for name in known)]
    return build(cassette, segment, events, has_entry=False)


@contextmanager
def replaying(cassette: Cassette, segment: Segment) -> Iterator[Block]:
    """What the block asks of servers is answered from the segment. Raises ReplayError."""
    block = Block(cassette, segment)
    try:
        block.begin()
        yield block
    finally:
        block.end()


def spans() -> SpanProcessor:
    """To be given the spans that begin and end in a block."""
    return _process().processor


class _Host(Host):
    """Of a process that may have connected to servers before."""

    def __init__(self, process: _Process) -> None:
        super().__init__(process.bindings, process.processor, process)
        self._process = process

    def foreign(self, lib: str, target: str) -> str | None:
        return (
            f"{REASON}: {lib} has connected to {target} before" if self._process.is_refused(SEND, lib, target) else None
        )


class _Process:
    """What all blocks of a process share."""

    def __init__(self) -> None:
        self._journal: Journal = MemoryJournal(keeps_spans=False)
        nobody = Origins((), (0, 0), lambda: (0, 0))
        self.bindings = Bindings(Session(Recorded("", ()), Library((), question_of), nobody, self._journal))
        self.made = Made()
        self.processor = ReplaySpanProcessor(self.bindings, lambda wanted: None, self, self.made)
        self._blocks: list[Block] = []
        self._redirection = Redirection(_Host(self))
        self._guards = Guards(Policy(any_loopback=False, any_program=False), self._refused, time.time())
        self.draws = Draws()
        self._chance = Chance(self._drew, self.draws)

    def write(self, event: Kind, /, **fields: Any) -> None:
        """Implements `Journal` for what the blocks share."""
        self._journal.write(event, **fields)

    def session(self) -> Session:
        """Of the calling context."""
        return self.bindings.of(trace.get_current_span().get_span_context().trace_id)

    def push(self, block: Block) -> None:
        if not self._blocks:
            self._redirection.install()
            self._guards.install()
            self._chance.install()
            generated.install()
            generated.reach_all()
        self._blocks.append(block)
        self._turn(block)

    def pop(self, block: Block) -> None:
        """Also of a block that has never begun."""
        if block not in self._blocks:
            return
        self._blocks.remove(block)
        if self._blocks:
            self._turn(self._blocks[-1])
        else:
            generated.uninstall()
            self._chance.uninstall()
            self._guards.uninstall()
            self._redirection.uninstall()

    def _turn(self, block: Block) -> None:
        # After the last block its session, which has ended, stays: a connection that it left is not the next one's.
        self._journal, self.bindings.default = block.journal, block.session

    def is_refused(self, what: str, library: str, target: str) -> bool:
        """True for a thread of the test; those of the process at large have a line in its report, and no say in it."""
        span = trace.get_current_span()
        is_its = self.bindings.is_bound(span.get_span_context().trace_id)
        named = {"frame": app_frame(), "library": library, "span": getattr(span, "name", "")}
        self.write("refused", what=what, target=target, in_entry=is_its, **named)
        return is_its

    def _drew(self, text: str) -> bool:
        is_its = self.bindings.is_bound(trace.get_current_span().get_span_context().trace_id)
        if is_its:
            self.write("chance", text=text)
        return is_its

    def _refused(self, what: str, target: str) -> None:
        self.is_refused(what, library(), target)


@functools.cache
def _process() -> _Process:
    return _Process()
