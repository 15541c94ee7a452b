"""Starts a replay in this process, before any instrumentor and before the app: OpenTelemetry's pre-instrument entry
point calls it when TIMETRACER_MODE=replay."""

from __future__ import annotations

import atexit
import json
import os
import sys
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from timetracer_otel.capture import generated, table
from timetracer_otel.capture.frames import app_frame, library
from timetracer_otel.cassette import Cassette, Segment, start_ns
from timetracer_otel.config import Settings
from timetracer_otel.errors import CassetteError, ReplayError, TimetracerError, UsageError
from timetracer_otel.replay import clock as clocks
from timetracer_otel.replay import greenlets, isolation, journal, live, network
from timetracer_otel.replay.chance import Chance
from timetracer_otel.replay.changes import Variables, changes_since
from timetracer_otel.replay.debugger import Debugger
from timetracer_otel.replay.debugger import asked as asked_to_debug
from timetracer_otel.replay.draws import Draws
from timetracer_otel.replay.handed import EARLIER, ENTRY, PATHS, SEGMENT
from timetracer_otel.replay.host import Host
from timetracer_otel.replay.identity import RecordedIds, ReplayIdGenerator
from timetracer_otel.replay.journal import Event, Journal, MemoryJournal
from timetracer_otel.replay.kept import Kept
from timetracer_otel.replay.library import entry_of, heads, requests_of, with_children
from timetracer_otel.replay.live import Live, named
from timetracer_otel.replay.local import Here
from timetracer_otel.replay.patience import Patience
from timetracer_otel.replay.processor import Bindings, ReplaySpanProcessor, keep_to_ourselves
from timetracer_otel.replay.scripts import of_process
from timetracer_otel.replay.session import Session
from timetracer_otel.replay.sessions import earlier_of, environment_of, library_of, recorded_clock, session_of
from timetracer_otel.replay.tape import EntryTape
from timetracer_otel.replay.traces import Made
from timetracer_otel.store import Store

NOTHING_COMPARED: Final = (
    "nothing was compared: the recording holds no request, and what a program of your own returns or raises is not "
    "compared; `timetracer-otel replay` does it"
)


@dataclass(frozen=True, slots=True)
class Replay:
    """What is under way in this process."""

    cassette: Cassette
    segment: Segment
    session: Session
    host: Host
    processor: ReplaySpanProcessor
    tape: EntryTape
    clock: clocks.Clock
    ids: ReplayIdGenerator
    journal: Journal
    debugger: Debugger | None = None

    def start_entry(self) -> None:
        """Start-up is over; what comes now is the recorded entry."""
        self.clock.start_entry()
        self.ids.is_entry = True
        self.journal.write("entered")


_active: Replay | None = None


def active() -> Host | None:
    """The host that drivers are installed with; None when this process does not replay."""
    return _active.host if _active is not None else None


def replay() -> Replay | None:
    """All of what is under way in this process."""
    return _active


def start(settings: Settings) -> Host:
    """The host that drivers are installed with; a second call gives the same.

    Ends the process with 2 when the replay cannot start: without its guards the app would meet the real world.
    """
    if _active is not None:
        return _active.host
    log = journal.open_named(os.environ.get(journal.VARIABLE)) or MemoryJournal(keeps_spans=False)
    started: Replay | None = None
    try:
        started = begin(settings, log)
    except TimetracerError as error:
        _refuse(log, error)
    finally:
        if started is None:  # a fault of ours: our caller is guarded, and would let the app go on
            traceback.print_exc()
            os._exit(2)
    return started.host


def refuse(error: TimetracerError) -> NoReturn:
    """Ends the process with 2: what is under way could not be controlled."""
    _refuse(_active.journal if _active is not None else MemoryJournal(keeps_spans=False), error)


def _refuse(log: Journal, error: TimetracerError) -> NoReturn:
    if isinstance(log, MemoryJournal):
        print(f"timetracer: {error}", file=sys.stderr, flush=True)  # noqa: T201  nobody else says it
    log.write("error", **journal.error_json(error))
    # Not SystemExit: we are inside sitecustomize, where the interpreter would print a crash of its own.
    os._exit(2)


def begin(settings: Settings, log: Journal) -> Replay:
    """Everything in place, and `active`. Raises TimetracerError."""
    global _active
    greenlets.check()
    _add_paths(os.environ.get(PATHS, ""))
    began_s, root = isolation.began()  # the clock is not the recorded one yet
    cassette, segment = _named(settings, os.environ.get(SEGMENT))
    segment = with_children(cassette, segment)
    clock = _clock(segment, log)
    draws, made = Draws(), Made()
    session, default = _sessions(cassette, segment, clock, log, Here(draws, made))
    bindings = Bindings(default)
    named = {segment.id: (segment, session)}
    processor = ReplaySpanProcessor(bindings, named.get, log, made)
    keep_to_ourselves()
    ids = ReplayIdGenerator(entry_drew_trace_id=not (segment.root is not None and segment.root.remote_parent))
    _provide(processor, ids)
    _serve_ids(segment, session, bindings, draws)
    tape = EntryTape(bindings)
    table.activate(tape)
    _guard(bindings, session, log, began_s, root)
    _watch_chance(bindings, session, log, draws)
    entry = None if os.environ.get(ENTRY) else entry_of(segment)
    host = Host(bindings, processor, log, entry)
    debugger = Debugger(clock, log) if asked_to_debug() else None
    if debugger is not None:
        debugger.install()
    _active = Replay(cassette, segment, session, host, processor, tape, clock, ids, log, debugger)
    greenlets.watch(refuse)
    log.write("started", process=os.getpid())
    atexit.register(_end, _active, os.getpid(), Variables())
    return _active


def _add_paths(text: str) -> None:
    """Behind all else: nothing of theirs stands in for a module of Python, of an installed package or of the user."""
    sys.path.extend(path for path in text.split(os.pathsep) if path and path not in sys.path)


def _named(settings: Settings, wanted: str | None) -> tuple[Cassette, Segment]:
    if settings.cassette is None:
        raise UsageError(
            "TIMETRACER_CASSETTE", "TIMETRACER_MODE=replay needs a cassette", "set it to a path or a trace id"
        )
    cassette, named = _opened(Store(settings.store), settings.cassette)
    return cassette, pick(cassette, wanted or named)


def _opened(store: Store, wanted: str) -> tuple[Cassette, str | None]:
    try:
        return store.open_cassette(wanted)
    except CassetteError:
        if (found := of_process(store.root, wanted)) is None:
            raise
        return found, None


def pick(cassette: Cassette, wanted: str | None) -> Segment:
    """The segment of this id, or the only one. Raises ReplayError with the list when there are several."""
    found = [segment for segment in cassette.segments if segment.id == wanted] if wanted else heads(cassette)
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{each.name} {each.entry.name if each.entry else ''}".rstrip() for each in cassette.segments)
    where = cassette.path or cassette.trace_id
    raise ReplayError(where, f"{len(cassette.segments)} segments ({names})", "name one as <trace>/<segment>")


def _clock(segment: Segment, log: Journal) -> clocks.Clock:
    if (reason := clocks.why_real()) is not None:
        log.write("uncontrolled", text=reason)
        return clocks.RealClock()
    first_ns = segment.process.started_ns if os.environ.get(ENTRY) else 0
    if os.environ.get(ENTRY):  # `exec` may run pytest, with time-machine's own fixture
        clocks.load_without_pytest()
    return recorded_clock(segment, first_ns)


def _sessions(
    cassette: Cassette, segment: Segment, clock: clocks.Clock, log: Journal, here: Here
) -> tuple[Session, Session]:
    """The segment's session, and the default one of this process."""
    earlier = _earlier()
    library_ = library_of(cassette, segment, earlier)
    patience = Patience()
    patience.install()
    session = session_of(cassette, segment, library_, clock, log, missed=patience.end, here=here)
    if earlier:
        session.kept = Kept([earlier_of(each, segment, library_, log) for each in earlier])
    if not os.environ.get(ENTRY):
        return session, session
    return session, environment_of(cassette, segment, library_, clock, log, here)


def _earlier() -> list[Segment]:
    """The latest first: what was asked anew took the place of what was kept."""
    named = json.loads(os.environ.pop(EARLIER, "[]"))
    opened = [(Store(os.path.dirname(path)).open_cassette(path)[0], wanted) for path, wanted in named]
    found = [with_children(cassette, pick(cassette, wanted)) for cassette, wanted in opened]
    return sorted(found, key=start_ns, reverse=True)


def _provide(processor: ReplaySpanProcessor, ids: ReplayIdGenerator) -> None:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.id_generator = ids  # no tracer exists yet: each takes the generator when it is made
    provider.add_span_processor(processor)


def _serve_ids(segment: Segment, session: Session, bindings: Bindings, draws: Draws) -> None:
    recorded = RecordedIds(segment.generated, session.made)

    def source(site: str, make: Callable[[], uuid.UUID]) -> uuid.UUID:
        if bindings.of(trace.get_current_span().get_span_context().trace_id) is session:
            return recorded.next(site)
        made = make()
        draws.note_id(made)  # such as the name that a process gives itself when it starts: it may ask with it later
        return made

    generated.source = source
    generated.install()


def _guard(bindings: Bindings, session: Session, log: Journal, began_s: float, root: int) -> None:
    is_alone = os.environ.get(isolation.VARIABLE) == isolation.NAMESPACE
    if not is_alone:
        log.write("uncontrolled", text="native sockets")

    def refused(what: str, target: str) -> None:
        span = trace.get_current_span()
        in_entry = bindings.of(span.get_span_context().trace_id) is session
        named = {"frame": app_frame(), "library": library(), "span": getattr(span, "name", "")}
        log.write("refused", what=what, target=target, in_entry=in_entry, **named)

    let = Live(named(os.environ.get(live.VARIABLE, "")), lambda call: log.write("uncontrolled", text=call))
    policy = network.Policy(any_loopback=is_alone, any_program=is_alone, live=let)
    network.Guards(policy, refused, began_s, root).install()


def _watch_chance(bindings: Bindings, session: Session, log: Journal, draws: Draws) -> None:
    def used(text: str) -> bool:
        is_its = bindings.of(trace.get_current_span().get_span_context().trace_id) is session
        if is_its:
            log.write("chance", text=text)
        return is_its

    Chance(used, draws).install()


def _end(replay: Replay, process: int, given: Variables) -> None:
    if os.getpid() != process:
        return
    replay.journal.write("done", process=process, added=given.added())
    if isinstance(replay.journal, MemoryJournal) and not os.environ.get(journal.VARIABLE):
        _print_report(replay, replay.journal.events)


def _print_report(replay: Replay, events: Sequence[Event]) -> None:
    # Where a runner builds the report these need not be loaded.
    from timetracer_otel.replay import text
    from timetracer_otel.replay.report import build

    has_entry = entry_of(replay.segment) is not None and bool(os.environ.get(ENTRY))
    if not has_entry and not requests_of(replay.segment.exchanges):
        events = [*events, {"event": "incomplete", "exchange": None, "reason": NOTHING_COMPARED}]
    changed = changes_since(replay.segment.process)
    report = build(replay.cassette, replay.segment, events, has_entry=has_entry, changed=changed)
    sys.stderr.write(text.render(report))
