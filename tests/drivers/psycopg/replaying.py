"""The replay side in one process: sessions of several traces and the host that a driver is installed with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.drivers.base import Replaying
from timetracer_otel.drivers.psycopg.replay import REPLAYING
from timetracer_otel.replay.host import Host
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.library import Library, Recorded, question_of
from timetracer_otel.replay.origin import Origins
from timetracer_otel.replay.processor import Bindings, ReplaySpanProcessor
from timetracer_otel.replay.session import Session


@dataclass
class Replayed:
    bindings: Bindings
    processor: ReplaySpanProcessor
    sessions: Mapping[str, Session]
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    @property
    def misses(self) -> list[str]:
        return [event["request"]["text"] for event in self.journal.of("miss")]


def session(
    name: str,
    exchanges: Sequence[Exchange],
    journal: MemoryJournal,
    connections: Iterable[Connection] = (),
    is_environment: bool = False,
    of_pools: Iterable[str] = (),
) -> Session:
    recorded = Recorded(
        name, tuple(exchanges), tuple(connections), is_environment=is_environment, of_pools=frozenset(of_pools)
    )
    return Session(recorded, Library(exchanges, question_of), Origins((), (0, 0), lambda: (0, 0)), journal)


@contextlib.contextmanager
def replaying(
    traces: Mapping[str, Sequence[Exchange]], connections: Iterable[Connection] = (), driver: Replaying = REPLAYING
) -> Iterator[Replayed]:
    """The driver redirected to sessions of these traces; what belongs to none has an environment without answers."""
    journal = MemoryJournal()
    known = tuple(connections)
    sessions = {name: session(name, exchanges, journal, known) for name, exchanges in traces.items()}
    bindings = Bindings(session("environment", (), journal, known, is_environment=True))
    processor = ReplaySpanProcessor(bindings, lambda wanted: None, journal)
    host = Host(bindings, processor, journal)
    driver.install(host)
    try:
        yield Replayed(bindings, processor, sessions, journal)
    finally:
        driver.uninstall()
        host.stop()
