"""How a session is made of a recorded segment: what it answers from, and what proves that a differing value is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from timetracer_otel.cassette import end_ns, start_ns
from timetracer_otel.cassette.model import Cassette, Environment, Segment
from timetracer_otel.replay.clock import Clock, RecordedClock
from timetracer_otel.replay.given import Given
from timetracer_otel.replay.instants import window
from timetracer_otel.replay.journal import Journal
from timetracer_otel.replay.library import (
    Library,
    Recorded,
    apart,
    asked_before,
    descendants,
    entry_of,
    question_of,
    requests_of,
    shapes_of,
)
from timetracer_otel.replay.local import Here, Local
from timetracer_otel.replay.machine import Machine
from timetracer_otel.replay.origin import Origins, unbound
from timetracer_otel.replay.session import Session
from timetracer_otel.replay.traces import Traces
from timetracer_otel.replay.warm import made_ready


def library_of(cassette: Cassette, segment: Segment, earlier: Sequence[Segment] = ()) -> Library:
    """All that is recorded of the segment and of its process."""
    before = [*(each.exchanges for each in cassette.environment_of(segment)), *(each.exchanges for each in earlier)]
    shapes = shapes_of((*segment.exchanges, *chain.from_iterable(before)))
    early = chain.from_iterable(map(requests_of, before))
    return Library((*requests_of(segment.exchanges), *early, *shapes), question_of)


def recorded_clock(segment: Segment, process_ns: int = 0) -> RecordedClock:
    """`process_ns`: when the recorded process began, where its start-up is replayed. Needs time-machine."""
    began_ns, ended_ns = start_ns(segment), end_ns(segment)
    asked = (began_ns + each.at_ns for each in requests_of(segment.exchanges))
    return RecordedClock(process_ns, began_ns, ended_ns, min(asked, default=ended_ns))


def session_of(
    cassette: Cassette,
    segment: Segment,
    library: Library,
    clock: Clock,
    log: Journal,
    missed: Callable[[], None],
    here: Here | None = None,
) -> Session:
    """Answers from the segment, which is that of `with_children`; `clock` follows the answers, `here` is told what the
    process makes."""
    began_ns, limits = start_ns(segment), window(start_ns(segment), end_ns(segment))
    children = descendants(cassette, segment)
    learnt = (connection for each in cassette.environment_of(segment) for connection in each.connections)
    asked = requests_of(segment.exchanges)
    recorded = Recorded(
        segment.name,
        asked,
        (*segment.connections, *learnt),
        segment.spans,
        segment.id,
        of_children=frozenset(exchange.id for child in children for exchange in apart(child.exchanges)),
        pools=segment.pools,
        of_pools=frozenset(exchange.id for exchange in made_ready(asked, segment.pools)),
    )
    ids = [each.value for one in (segment, *children) for each in one.generated if each.kind == "uuid4"]
    entry = entry_of(segment)
    early = chain.from_iterable(each.exchanges for each in cassette.environment_of(segment))
    given = Given(entry.request if entry is not None else None, asked, early)
    names = ((each.span_id, each.name) for each in segment.spans)
    local = None
    if here is not None:
        traces = Traces(segment.trace_id, segment.id, names, here.made)
        local = Local(here, given, Machine(segment.process), traces, ids)
    return Session(
        recorded,
        library,
        Origins(ids, limits, clock.window, clock.reading_of, local),
        log,
        answered=lambda exchange, next_ns: clock.advance(
            began_ns + exchange.at_ns + exchange.duration_ns,
            end_ns(segment) if next_ns is None else began_ns + next_ns,
        ),
        missed=missed,
    )


def earlier_of(segment: Segment, replayed: Segment, library: Library, log: Journal) -> Session:
    """Answers, as often as it is asked, from an earlier request of the process: for what the process kept of it."""
    asked = asked_before(segment, replayed)
    recorded = Recorded(segment.name, asked, segment.connections, is_environment=True, is_earlier=True)
    return Session(recorded, library, unbound(), log)


def environment_of(
    cassette: Cassette, segment: Segment, library: Library, clock: Clock, log: Journal, here: Here | None = None
) -> Session:
    """Answers from what the process asked before its first entry; `clock` follows them as it follows the segment's."""
    environments = cassette.environment_of(segment)
    asked = [(each.process.started_ns, exchange) for each in environments for exchange in requests_of(each.exchanges)]
    early, began_ns = tuple(exchange for _, exchange in asked), {exchange.id: ns for ns, exchange in asked}
    learnt = (connection for each in environments for connection in each.connections)
    recorded = Recorded("environment", early, (*learnt, *segment.connections), is_environment=True)
    entry_ns = start_ns(segment)
    ended_ns = (began_ns[each.id] + each.at_ns + each.duration_ns for each in early)
    limits = window(
        min((each.process.started_ns for each in environments), default=entry_ns),
        min(max(ended_ns, default=entry_ns), entry_ns),
    )
    local = Local(here, _given_early(environments), Machine(segment.process)) if here is not None else None
    return Session(
        recorded,
        library,
        Origins((), limits, clock.start_up, clock.reading_of, local, is_start_up=True),
        log,
        # One that was under way when the entry began has nothing to say of the time within it.
        answered=lambda exchange, _: clock.advance(
            min(began_ns[exchange.id] + exchange.at_ns + exchange.duration_ns, entry_ns), end_ns(segment)
        ),
    )


def _given_early(environments: Sequence[Environment]) -> Given:
    """What the process was told at its start; by those that it was forked from, before that."""
    *before, own = (each.exchanges for each in environments) if environments else ((),)
    return Given(None, own, chain.from_iterable(before))
