"""What a pool asks of a new connection: how many a request makes depends on what else the process was at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.replay.recordings import RECORDER, TRACE, asked, by, exchange, question_of, segment
from timetracer_otel.cassette.model import Acquire, Cassette, Environment, Exchange, Segment
from timetracer_otel.replay.clock import RealClock
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.library import Library
from timetracer_otel.replay.report import Report, build
from timetracer_otel.replay.sessions import session_of
from timetracer_otel.replay.warm import made_ready

SET = "SET statement_timeout = '20s'"
EARLY = replace(exchange(1, SET, [], connection=1), id="e-1", span_id=None)
ENTRY = replace(exchange(0), id="p-0", type="http.server")
WAIT = Acquire("psycopg", "", at_ns=10_000, wait_ns=30_000, size=2, max_size=8, idle=0, waiting=0, connection=7)
READY = exchange(2, SET, [], connection=7)
ORDER = exchange(5, connection=7)


def recorded(*exchanges: Exchange, pools: tuple[Acquire, ...] = (WAIT,)) -> Segment:
    return replace(segment(*exchanges), pools=pools)


def cassette(one: Segment) -> Cassette:
    return Cassette(TRACE, (one,), {RECORDER.id: Environment(RECORDER, (EARLY,))}, path="cassettes/7f3a")


def report(one: Segment, *taken: str) -> Report:
    log = MemoryJournal()
    for each in taken:
        log.write("take", exchange=each, session="shop")
    return build(cassette(one), one, log.events, has_entry=False, question=question_of)


def test_a_connection_that_the_replay_has_to_spare_is_not_made_ready_again() -> None:
    found = report(recorded(READY, ORDER), "e-1", "p-5")
    assert (found.verdict, found.unused) == ("same", ())


def test_one_connection_fewer_than_recorded_is_no_deviation() -> None:
    other = replace(READY, id="p-3", connection=8)
    found = report(recorded(READY, other, ORDER, pools=(WAIT, replace(WAIT, connection=8))), "p-2", "p-5")
    assert (found.verdict, found.unused) == ("same", ())


def test_what_no_connection_is_made_ready_by_any_more_was_not_made() -> None:
    found = report(recorded(READY, ORDER), "p-5")
    assert (found.verdict, [each["text"] for each in found.unused]) == ("deviates", [SET])


@pytest.mark.parametrize(
    "other",
    [
        replace(READY, at_ns=9_000),
        replace(READY, at_ns=39_500),
        replace(READY, connection=8),
        replace(READY, connection=None),
        replace(READY, signature=replace(READY.signature, lib="asyncpg")),
    ],
    ids=["before", "to the end", "another connection", "none", "another driver"],
)
def test_what_the_application_asks_beside_a_wait_is_missed(other: Exchange) -> None:
    found = report(recorded(other, ORDER), "e-1", "p-5")
    assert (found.verdict, [each["exchange"] for each in found.unused]) == ("deviates", ["p-2"])


def test_a_connection_is_made_ready_once() -> None:
    again = replace(READY, id="p-9", at_ns=90_000)
    later = replace(WAIT, at_ns=80_000)
    assert list(made_ready((READY, ORDER, again), (WAIT, later))) == [READY]


BEGIN = replace(exchange(2, "BEGIN", [], connection=7, transaction=1), id="p-begin")
IN_IT = replace(READY, id="p-set", at_ns=30_000, transaction=1)
COMMIT = replace(exchange(3, "COMMIT", [], connection=7, transaction=1), id="p-commit", at_ns=35_000)
WORK = [
    exchange(5, "BEGIN", [], connection=7, transaction=2),
    exchange(6, connection=7, transaction=2),
    exchange(7, "COMMIT", [], connection=7, transaction=2),
]


def test_a_begin_of_the_work_may_be_answered_by_that_of_a_connection_that_need_not_be_made() -> None:
    found = report(recorded(BEGIN, IN_IT, COMMIT, *WORK), "e-1", "p-begin", "p-6", "p-7")
    assert (found.verdict, found.unused) == ("same", ())


@pytest.mark.parametrize("taken", [("p-begin", "p-set", "p-commit"), ("e-1", "p-5", "p-7")], ids=["made", "spared"])
def test_a_part_of_the_work_is_missed_where_nothing_stood_in_its_place(taken: tuple[str, ...]) -> None:
    found = report(recorded(BEGIN, IN_IT, COMMIT, *WORK), *taken)
    missed = {each["exchange"] for each in found.unused}
    assert (found.verdict, missed) == ("deviates", {"p-5", "p-6", "p-7"} - {*taken})


def test_nobody_waits_for_what_a_pool_need_not_ask() -> None:
    one = recorded(READY, ORDER)
    held = cassette(one)
    source = session_of(held, one, Library(one.exchanges, question_of), RealClock(), MemoryJournal(), lambda: None)
    assert source.take(asked(), by()) is not None
    assert source.is_used_up
