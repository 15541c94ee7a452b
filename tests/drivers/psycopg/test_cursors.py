"""Server-side cursors: recorded against a real server, replayed in a process of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.drivers.psycopg.cursor_scenarios import above, beyond, many_rows, moved, pages, streamed
from tests.drivers.psycopg.here import record_here, replay_here
from tests.drivers.psycopg.test_never_hurts import HOOKS
from tests.drivers.taping import ListTape
from tests.servers.postgres import PostgresServer
from timetracer_otel.drivers.psycopg import flows, hooks
from timetracer_otel.drivers.psycopg.record import RECORDING
from timetracer_otel.drivers.psycopg.tracking import Cursors

SIZES = ([3, 3, 3, 3], [10, 1], [20], [1, 2, 3, 4, 5], [4, 4, 4])


@pytest.mark.parametrize("recorded_in", SIZES, ids=str)
def test_pages_of_any_size_give_the_same_rows_of_cursors_of_any_name(
    postgres: PostgresServer, recorded_in: list[int]
) -> None:
    given, exchanges = record_here(lambda dsn: pages(dsn, recorded_in), postgres.dsn)
    for asked_in in SIZES:
        replayed = replay_here(partial(pages, sizes=asked_in), exchanges)
        assert (replayed.given, replayed.missed, replayed.is_used_up) == (given, [], True), asked_in


def test_rows_beyond_those_that_were_read_are_a_miss(postgres: PostgresServer) -> None:
    _, exchanges = record_here(lambda dsn: pages(dsn, [2, 2]), postgres.dsn)
    replayed = replay_here(lambda dsn: beyond(dsn, [3, 3]), exchanges)
    assert replayed.missed[0] == 'FETCH FORWARD 3 FROM "a"'
    assert "no recorded answer" in replayed.given


@pytest.mark.parametrize(("size", "is_same"), [(4, True), (2, False), (6, False)])
def test_a_relative_move_from_another_row_is_a_miss(postgres: PostgresServer, size: int, is_same: bool) -> None:
    given, exchanges = record_here(lambda dsn: moved(dsn, 4), postgres.dsn)
    replayed = replay_here(lambda dsn: moved(dsn, size), exchanges)
    assert (replayed.given == given) == is_same
    assert bool(replayed.missed) != is_same


@pytest.mark.parametrize(("least", "sign"), [(3, ">"), (2, "<")])
def test_another_query_or_value_of_a_cursor_is_a_miss_that_names_it(
    postgres: PostgresServer, least: int, sign: str
) -> None:
    given, exchanges = record_here(lambda dsn: above(dsn, 2), postgres.dsn)
    assert replay_here(lambda dsn: above(dsn, 2), exchanges).given == given
    replayed = replay_here(lambda dsn: above(dsn, least, sign), exchanges)
    (miss,) = [miss for miss in replayed.misses if not miss["consequent"]]
    wanted = {"path": "parameters[0]", "recorded": "2", "asked": "3"}
    assert miss["differences"][0] == (wanted if least == 3 else {"path": "statement", "recorded": ">", "asked": "<"})


def test_another_query_or_value_of_a_stream_is_a_miss(postgres: PostgresServer) -> None:
    given, exchanges = record_here(lambda dsn: streamed(dsn, 3), postgres.dsn)
    assert replay_here(lambda dsn: streamed(dsn, 3), exchanges).given == given
    for other in (partial(streamed, count=4), partial(streamed, count=3, text="other ")):
        replayed = replay_here(other, exchanges)
        assert len(replayed.misses) == 1
        assert "InternalError_" in replayed.given


def test_a_stream_that_is_larger_than_what_is_kept_is_cut_and_marked_with_its_size(
    postgres: PostgresServer, tape: ListTape
) -> None:
    assert streamed(postgres.dsn, 40_000, "x" * 1000) == [40_000]
    (captured,) = tape.captured
    assert captured.dropped == "limit"
    assert captured.size > 40_000_000
    assert flows._open.held == 0


def test_r05_50_000_rows_through_a_cursor_cost_the_recorder_per_round_trip(
    postgres: PostgresServer, tape: ListTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in HOOKS:
        hook = getattr(hooks, name)
        monkeypatch.setattr(hooks, name, partial(_counted, calls, name, hook))
    RECORDING.uninstall()
    RECORDING.install()
    assert many_rows(postgres.dsn, 50_000) == 50_000
    assert len(tape.captured) == 1 + 2 + 51 + 2  # BEGIN; DECLARE and its columns; pages; CLOSE and COMMIT
    assert len(calls) <= 3 * len(tape.captured)


def _counted(calls: list[str], name: str, hook: Any, *args: Any, **kwargs: Any) -> Any:
    calls.append(name)
    return hook(*args, **kwargs)


def test_the_cursor_of_a_long_statement_is_found_without_a_look_at_all_of_it() -> None:
    known, long = Cursors(), b"a" * 300_000
    declared = known.of(b"DECLARE c CURSOR FOR SELECT '" + long + b"'")
    assert declared is not None
    assert known.of(b"FETCH 1 FROM c -- " + long + b"\n FROM c ; ") == declared
    # From each of its letters to the end would take an hour.
    assert known.of(b"CLOSE c; INSERT INTO t VALUES ('" + long + b"')") is None
    assert known.of(b"CLOSE " + long + b"!") is None
