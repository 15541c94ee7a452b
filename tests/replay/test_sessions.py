from __future__ import annotations

from dataclasses import replace

from tests.replay.recordings import END_NS, RECORDER, START_NS, asked, by, cassette, exchange, question_of, segment
from timetracer_otel.cassette.model import Environment, Payload
from timetracer_otel.replay.clock import RealClock
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.library import Library, requests_of
from timetracer_otel.replay.sessions import environment_of, session_of

MINUTE_NS = 60_000_000_000


class Watched(RealClock):
    """Which moments it was moved to."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[tuple[int, int]] = []

    def advance(self, until_ns: int, next_ns: int) -> None:
        self.moments.append((until_ns, next_ns))


def test_the_clock_follows_the_answers_of_the_start_up_and_those_of_the_entry() -> None:
    """A lifespan that asks its database and then takes the time takes that of the recording."""
    started = replace(RECORDER, started_ns=START_NS - MINUTE_NS)
    early = exchange(1, "CREATE TABLE $1", ["a"], at_ns=7_000, duration_ns=500)
    asks = (exchange(n, parameters=[str(n)], at_ns=n * 1_000, duration_ns=100) for n in (9, 5, 7))
    own = replace(segment(*asks), process=started)
    whole = replace(cassette(own), environments={started.id: Environment(started, (early,))})
    library, clock, journal = Library((*own.exchanges, early), question_of), Watched(), MemoryJournal()
    before = environment_of(whole, own, library, clock, journal)
    within = session_of(whole, own, library, clock, journal, lambda: None)
    assert before.take(asked("CREATE TABLE $1", ["a"]), by()) is not None
    for n in (5, 9, 7):
        assert within.take(asked(parameters=[str(n)]), by()) is not None
    assert clock.moments == [
        (START_NS - MINUTE_NS + 7_500, END_NS),
        (START_NS + 5_100, START_NS + 7_000),
        (START_NS + 9_100, END_NS),
        (START_NS + 7_100, END_NS),
    ]


def test_a_statement_that_the_start_up_ran_many_times_answers_each_by_itself() -> None:
    """A lifespan that fills a table, by asyncpg's executemany."""
    started = replace(RECORDER, started_ns=START_NS - MINUTE_NS)
    request: Payload = {"statement": "INSERT $1", "executions": {"formats": [0], "rows": 2, "values": [["a", "b"]]}}
    result: Payload = {"executions": [[0, "INSERT 0 1", 2]], "tx": "I"}
    early = replace(exchange(1, at_ns=7_000, duration_ns=500), request=request, result=result)
    early = replace(early, signature=replace(early.signature, lib="asyncpg"))
    own = replace(segment(), process=started)
    whole = replace(cassette(own), environments={started.id: Environment(started, (early,))})
    clock, library = Watched(), Library(requests_of((early,)), question_of)
    before = environment_of(whole, own, library, clock, MemoryJournal())
    for value in ("a", "b"):
        assert before.take(asked("INSERT $1", [value]), by()) is not None
    assert [until_ns for until_ns, _ in clock.moments] == [START_NS - MINUTE_NS + ns for ns in (7_250, 7_500)]


def test_a_miss_takes_the_time_of_the_request_in_whose_place_it_was_asked() -> None:
    own = segment(*(exchange(n, parameters=[str(n)], at_ns=n * 1_000, duration_ns=100) for n in (5, 7)))
    clock, library = Watched(), Library(own.exchanges, question_of)
    within = session_of(cassette(own), own, library, clock, MemoryJournal(), lambda: None)
    within.miss(asked("DELETE FROM elsewhere"), by())
    assert clock.moments == []
    within.miss(asked(parameters=["6"]), by())
    assert clock.moments == [(START_NS + 5_100, START_NS + 7_000)]
