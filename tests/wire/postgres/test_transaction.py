from __future__ import annotations

import pytest

from timetracer_otel.wire.postgres.statements import parts
from timetracer_otel.wire.postgres.transaction import Command, Move, Transaction, command


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("begin", Command(Move.BEGIN)),
        ("START TRANSACTION READ ONLY", Command(Move.BEGIN)),
        ("COMMIT WORK", Command(Move.COMMIT)),
        ("end and chain", Command(Move.COMMIT, is_chained=True)),
        ("COMMIT AND NO CHAIN", Command(Move.COMMIT)),
        ("PREPARE TRANSACTION 'x'", Command(Move.COMMIT)),
        ("abort", Command(Move.ROLLBACK)),
        ("ROLLBACK TO SAVEPOINT A", Command(Move.ROLLBACK_TO, "a")),
        ('rollback to "A"', Command(Move.ROLLBACK_TO, "A")),
        ("SAVEPOINT s /* c */", Command(Move.SAVEPOINT, "s")),
        ("release s", Command(Move.RELEASE, "s")),
        ("COMMIT PREPARED 'x'", None),
        ("ROLLBACK PREPARED 'x'", None),
        ("PREPARE s AS select 1", None),
        ("select 'BEGIN'", None),
    ],
)
def test_a_command_is_told_by_its_words(sql: str, expected: Command | None) -> None:
    (statement,) = parts(sql)
    assert command(statement) == expected


def moved(sql: str, start: Transaction = Transaction()) -> Transaction:  # noqa: B008 (frozen)
    for statement in parts(sql):
        start = start.completed(command(statement))
    return start


def test_savepoints_of_one_name_are_stacked() -> None:
    open_ = moved("BEGIN; SAVEPOINT a; SAVEPOINT b; SAVEPOINT a")
    assert open_.savepoints == ("a", "b", "a")
    assert moved("RELEASE a", open_).savepoints == ("a", "b")
    assert moved("ROLLBACK TO b", open_).savepoints == ("a", "b")
    assert moved("COMMIT", open_) == Transaction("I", 1)


def test_rolling_back_to_a_savepoint_forgets_the_miss() -> None:
    failed = moved("BEGIN; SAVEPOINT a").failed(None, by_miss=True)
    assert (failed.status, failed.failed_by_miss) == ("E", True)
    assert moved("ROLLBACK TO a", failed) == moved("BEGIN; SAVEPOINT a")


def test_an_error_fails_a_transaction_and_a_failed_commit_ends_it() -> None:
    open_ = moved("BEGIN")
    assert Transaction().failed(None) == Transaction()
    assert open_.failed(None).status == "E"
    assert open_.failed(Command(Move.COMMIT)).status == "I"
    assert open_.failed(Command(Move.ROLLBACK), by_miss=True) == Transaction("E", 1, (), True)
