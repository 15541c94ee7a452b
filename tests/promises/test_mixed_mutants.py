"""Design §12, *never lies*, request by request: one thing of it is changed, and what was recorded for it stays away.

All in one process, on the level at which a driver asks for an answer. The trace was recorded once, by
`tests.promises.mixed` with real servers; `--long` records it anew.
"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import started
from tests.demonstration import ROOT
from tests.launching import LAUNCHER, recording
from tests.promises.changed import FORMS, spots
from tests.promises.plain import plain
from tests.replay.recordings import reading_of
from tests.servers.aws import AwsServer
from tests.servers.http import HttpServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from timetracer_otel.cassette import Exchange, Segment
from timetracer_otel.drivers.base import Asked, Question
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.replay.instants import window
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.library import Library, Recorded, question_of, requests_of
from timetracer_otel.replay.origin import Origins
from timetracer_otel.replay.session import Session
from timetracer_otel.store import Store

pytestmark = pytest.mark.long

RECORDED = Path(__file__).with_name("mixed.cassette.json")
LATER_NS = 10**16
CLOCK_READS = 50
TIMEOUT_S = 120
SERVERS: tuple[Callable[[], Any], ...] = (PostgresServer, MongoServer, AwsServer, HttpServer, RedisServer)


@pytest.fixture(scope="module")
def mixed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Segment:
    if request.config.getoption("--long"):
        return _recorded_anew(tmp_path_factory.mktemp("mixed"))
    return _only_segment(RECORDED)


def _only_segment(path: Path) -> Segment:
    cassette, _ = Store(path.parent).open_cassette(str(path))
    (segment,) = cassette.segments
    return segment


def _recorded_anew(folder: Path) -> Segment:
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        postgres, mongo, aws, http, redis = servers = list(pool.map(started, SERVERS))
    asked = {"POSTGRES": postgres.dsn, "MONGO": mongo.uri, "HTTP": http.url, "REDIS": redis.url(), **aws.variables}
    command = [*LAUNCHER, sys.executable, "-m", "tests.promises.mixed"]
    try:
        subprocess.run(command, cwd=ROOT, env=recording(folder, **asked), check=True, timeout=TIMEOUT_S)
    finally:
        for server in servers:
            server.stop()
    (trace,) = (each for each in folder.iterdir() if len(each.name) == 32)
    return _only_segment(trace)


# ---- asking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    mutants: Counter[str]
    """Of each library, how many were asked that differ in what counts."""
    lies: list[tuple[str, Exchange, Exchange]]
    """What was changed, the changed request, and the recorded one whose answer it got."""


def ask(segment: Segment, count: int, ours: Callable[[Exchange], Question] = question_of) -> Found:
    exchanges = requests_of(segment.exchanges)
    library, chance = Library(exchanges, ours), random.Random(10)
    session, found = _session(segment, library, exchanges), Found(Counter(), [])
    for name, recorded, mutant in _mutants(exchanges, chance):
        try:
            taken = session.take(ours(mutant), Asked())
        except DamagedCassette:  # no driver could have sent it
            continue
        if taken is not None:
            session = _session(segment, library, exchanges)
            if plain(taken) != plain(mutant):
                found.lies.append((name, mutant, taken))
        found.mutants[recorded.signature.lib] += plain(mutant) != plain(recorded)
        if found.mutants.total() == count:
            break
    return found


def _mutants(exchanges: tuple[Exchange, ...], chance: random.Random) -> Iterator[tuple[str, Exchange, Exchange]]:
    """Every spot of every request once, in any order; and so on, each time changed in another way."""
    everywhere = [spot for exchange in exchanges for spot in spots(exchange)]
    chance.shuffle(everywhere)
    for spot in itertools.cycle(everywhere):
        if (mutant := spot.changed(chance)) is not None:
            yield str(spot), spot.exchange, mutant


def _session(segment: Segment, library: Library, exchanges: tuple[Exchange, ...]) -> Session:
    """A new one, of which nothing is used yet, in a replay some months later."""
    recorded, root = Recorded(segment.id, exchanges, segment.connections, segment.spans), segment.spans[0]
    then = window(root.start_ns, root.end_ns)
    now = then[0] + LATER_NS, then[1] + LATER_NS
    read = reading_of(range(now[0], now[1], (now[1] - now[0]) // CLOCK_READS))
    origins = Origins((each.value for each in segment.generated), then, lambda: now, read)
    return Session(recorded, library, origins, MemoryJournal())


# ---- what holds ------------------------------------------------------------------------------------------------------


def test_each_request_as_it_is_gets_its_own_answer(mixed: Segment) -> None:
    """The control: it is the change that keeps the answer away."""
    exchanges = requests_of(mixed.exchanges)
    session = _session(mixed, Library(exchanges, question_of), exchanges)
    ordered = sorted(exchanges, key=lambda each: (each.at_ns, each.id))
    assert [session.take(question_of(_again(each)), Asked()) for each in ordered] == ordered
    assert {each.signature.lib for each in exchanges} == FORMS.keys()


def _again(exchange: Exchange) -> Exchange:
    """Opened and closed, with nothing changed."""
    form = FORMS[exchange.signature.lib]
    return replace(exchange, request=form.closed(form.opened(exchange.request)))


def test_no_changed_request_of_a_mixed_trace_gets_what_was_recorded_for_another(
    mixed: Segment, rounds: Callable[[int], int]
) -> None:
    found = ask(mixed, rounds(10_000))
    assert [(name, mutant.request, taken.request) for name, mutant, taken in found.lies] == []
    assert found.mutants.total() == rounds(10_000)
    assert set(found.mutants) == set(FORMS)


@pytest.mark.parametrize("lib", sorted(FORMS))
def test_a_driver_that_compares_all_but_the_last_value_is_found_to_lie(lib: str, mixed: Segment) -> None:
    def careless(exchange: Exchange) -> Question:
        question = question_of(exchange)
        return replace(question, slots=question.slots[:-1])

    own = replace(mixed, exchanges=tuple(each for each in mixed.exchanges if each.signature.lib == lib))
    assert ask(own, 300, careless).lies
