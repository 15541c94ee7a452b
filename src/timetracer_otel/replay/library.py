"""What a replay answers from: recorded exchanges, and the questions that their drivers make of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from timetracer_otel.cassette import end_ns, start_ns
from timetracer_otel.cassette.model import Acquire, Cassette, Connection, Exchange, Segment, Span
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import Question


class Library:
    """All recorded exchanges that a process replays from, with the questions that their drivers make of them."""

    def __init__(self, exchanges: Iterable[Exchange], question: Callable[[Exchange], Question]) -> None:
        """`question` may load a driver: it is asked for one only when that driver asks us."""
        self.exchanges, self._ask = tuple(exchanges), question
        self._questions: dict[str, Question] = {}
        self._shapes: dict[str, dict[Hashable, list[Exchange]]] = {}
        self._lock = threading.RLock()

    def question(self, exchange: Exchange) -> Question:
        with self._lock:
            if exchange.id not in self._questions:
                self._questions[exchange.id] = self._ask(exchange)
            return self._questions[exchange.id]

    def known(self, lib: str, shape: Hashable) -> Sequence[Exchange]:
        """Every exchange of this shape, in the order in which the library was filled."""
        with self._lock:
            wire = registry.wire(lib)
            if wire not in self._shapes:
                self._shapes[wire] = {}
                for exchange in self.exchanges:
                    if registry.wire(exchange.signature.lib) == wire:
                        self._shapes[wire].setdefault(self.question(exchange).shape, []).append(exchange)
            return self._shapes[wire].get(shape, ())


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a session answers from."""

    name: str
    exchanges: tuple[Exchange, ...]
    connections: tuple[Connection, ...] = ()
    spans: tuple[Span, ...] = ()
    root: str = ""
    """Span id of the local root; empty for an environment."""
    is_environment: bool = False
    is_earlier: bool = False
    """Of an earlier request of the process, for what this one kept of it."""
    of_children: frozenset[str] = frozenset()
    """Ids of the exchanges that processes made which were forked meanwhile: nobody waits for them here."""
    pools: tuple[Acquire, ...] = ()
    of_pools: frozenset[str] = frozenset()
    """Ids of those by which a pool made a connection ready, which it need not do again: nobody waits for them."""


def with_children(cassette: Cassette, segment: Segment) -> Segment:
    """The segment with what was recorded by the processes that it forked, and those by them: a child of the replay asks
    for it. Times are those of the segment. Entries of their own are left out: what a child serves is another replay."""
    there = {span.span_id for span in segment.spans} | {exchange.id for exchange in segment.exchanges}
    children = [child for child in descendants(cassette, segment) if there.isdisjoint(_names_in(child))]
    if not children:  # or they are in it already
        return segment
    return replace(
        segment,
        spans=(*segment.spans, *(span for child in children for span in child.spans)),
        exchanges=(*segment.exchanges, *(e for child in children for e in _moved(child, segment))),
        connections=(*segment.connections, *(each for child in children for each in child.connections)),
        complete=segment.complete and all(child.complete for child in children),
        dropped=dict(sum((Counter(each.dropped) for each in (segment, *children)), Counter())),
    )


def _names_in(segment: Segment) -> Iterator[str]:
    yield from (span.span_id for span in segment.spans)
    yield from (exchange.id for exchange in segment.exchanges)


def descendants(cassette: Cassette, segment: Segment) -> list[Segment]:
    """Segments of processes that were forked inside the segment, and inside those, without an entry of their own."""
    found, waiting = [], [segment.id]
    left = {each.id: each for each in cassette.segments if each.id != segment.id and entry_of(each) is None}
    while waiting:
        parent = waiting.pop()
        for child in [each for each in left.values() if each.parent_segment == parent]:
            found.append(left.pop(child.id))
            waiting.append(child.id)
    return found


def heads(cassette: Cassette) -> list[Segment]:
    """The segments that one may want to replay: each but those that are part of another's replay."""
    parts = {child.id for segment in cassette.segments for child in descendants(cassette, segment)}
    return [segment for segment in cassette.segments if segment.id not in parts] or list(cassette.segments)


def _moved(child: Segment, segment: Segment) -> Iterator[Exchange]:
    later_ns = start_ns(child) - start_ns(segment) if child.spans and segment.spans else 0
    return (replace(each, at_ns=each.at_ns + later_ns) for each in child.exchanges)


def question_of(exchange: Exchange) -> Question:
    """What its driver makes of a recorded request; what its signature says, where no driver of ours knows it."""
    signature = exchange.signature
    if signature.lib in registry.DRIVERS and registry.DRIVERS[signature.lib].asks and not is_entry(exchange):
        return registry.replaying(signature.lib).question(exchange)
    text = f"{signature.method} {signature.url}"
    return Question(signature.lib, signature.method, signature.url, shape=(exchange.type, text), text=text)


def apart(exchanges: Iterable[Exchange]) -> Iterator[Exchange]:
    """Each request by itself, where a driver has put several into one exchange."""
    return (each for exchange in exchanges for each in registry.apart(exchange))


def requests_of(exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """Those that the app made and that a driver of ours can answer, each by itself: without the entry."""
    return tuple(
        e for e in apart(exchanges) if not is_entry(e) and not is_shape(e) and e.signature.lib in registry.DRIVERS
    )


def asked_before(segment: Segment, other: Segment) -> tuple[Exchange, ...]:
    """What a segment asked before another one ended."""
    until_ns = end_ns(other) - start_ns(segment)
    return tuple(each for each in requests_of(segment.exchanges) if each.at_ns < until_ns)


def shapes_of(exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """Those that say what a statement looks like which was never run."""
    return tuple(e for e in exchanges if is_shape(e) and e.signature.lib in registry.DRIVERS)


def is_shape(exchange: Exchange) -> bool:
    """True if nobody need ask for it: the server only described a statement, or a driver tidied up by itself."""
    return (exchange.type, exchange.request.get("op")) in (("db.query", "prepare"), ("db.command", "housework"))


def unknown_libs(exchanges: Iterable[Exchange]) -> dict[str, int]:
    """How many exchanges each library has that this release has no driver for."""
    return dict(Counter(e.signature.lib for e in exchanges if e.signature.lib not in registry.DRIVERS))


def entry_of(segment: Segment) -> Exchange | None:
    """The exchange that the segment's entry is, where a driver can run it again, with what continues it; a function has
    none."""
    found = [each for each in segment.exchanges if is_entry(each) and not registry.continues(each)]
    entry = next((exchange for exchange in found if exchange.span_id == segment.id), found[0] if found else None)
    return None if entry is None else registry.whole(entry, segment.exchanges)


def is_entry(exchange: Exchange) -> bool:
    driver = registry.DRIVERS.get(exchange.signature.lib)
    return driver is not None and bool(driver.entry) and (driver.entry == exchange.type or not driver.asks)
