"""COPY: recorded against a real server, replayed in a process of its own; what differs in replay is a miss."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from typing import Any

import pytest

from tests.drivers.psycopg.copy_scenarios import ROWS, copied_in, large
from tests.drivers.psycopg.here import record_here, replay_here
from tests.drivers.taping import ListTape
from tests.servers.postgres import PostgresServer
from timetracer_otel.config import MIB
from timetracer_otel.drivers.psycopg import flows

MANY = [(i, f"name {i}", None) for i in range(3000)]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("rows", [ROWS, MANY], ids=["few", "many"])
def test_in_what_pieces_the_data_is_written_does_not_count(
    postgres: PostgresServer, binary: bool, rows: Sequence[Any]
) -> None:
    given, exchanges = record_here(lambda dsn: copied_in(dsn, rows, binary), postgres.dsn)
    replayed = replay_here(lambda dsn: copied_in(dsn, rows, binary, pieces=7), exchanges)
    assert (replayed.given, replayed.missed, replayed.is_used_up) == (given, [], True)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("at", "piece"), [(1, 1), (2500, 1000)])
def test_another_value_in_a_row_is_a_miss_that_names_the_row(
    postgres: PostgresServer, binary: bool, at: int, piece: int
) -> None:
    _, exchanges = record_here(lambda dsn: copied_in(dsn, MANY, binary), postgres.dsn)
    mutated = [*MANY[:at], (at, "other", None), *MANY[at + 1 :]]
    replayed = replay_here(lambda dsn: copied_in(dsn, mutated, binary), exchanges)
    (miss,) = replayed.misses
    place = piece + binary if piece < 1000 else piece  # the header comes first
    assert [difference["path"] for difference in miss["differences"]] == [f"copy.data[{place}]"]
    assert "InternalError_" in replayed.given


@pytest.mark.parametrize("rows", [ROWS[:2], [*ROWS, ROWS[0]], [], ROWS[::-1]], ids=["less", "more", "none", "turned"])
def test_other_rows_are_a_miss(postgres: PostgresServer, rows: Sequence[Any]) -> None:
    _, exchanges = record_here(lambda dsn: copied_in(dsn, ROWS, False), postgres.dsn)
    assert len(replay_here(lambda dsn: copied_in(dsn, rows, False), exchanges).misses) == 1


def test_copy_of_200_megabytes_is_cut_and_marked_with_its_size(postgres: PostgresServer, tape: ListTape) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert large(postgres.dsn, 200) == (204800, 200 * MIB)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    copied = [each for each in tape.captured if each.dropped]
    assert [each.dropped for each in copied] == ["limit", "limit"]
    assert [each.size // MIB for each in copied] == [200, 200]
    assert grown < 64 * 1024  # KiB
    assert flows._open.held == 0


def test_a_copy_that_was_cut_is_never_answered_by_another_one(postgres: PostgresServer) -> None:
    _, exchanges = record_here(lambda dsn: large(dsn, 17), postgres.dsn)
    with pytest.raises(Exception, match="recorded without its payload"):
        replay_here(lambda dsn: large(dsn, 17), exchanges)
