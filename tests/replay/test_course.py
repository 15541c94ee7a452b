"""Where the requests stood that were answered: in which transaction, and after which other one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.replay.recordings import asked, by, cassette, exchange, question_of, segment, session
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.replay.course import REORDERED
from timetracer_otel.replay.report import Report, build
from timetracer_otel.replay.runner import Execution
from timetracer_otel.replay.text import render

Step = tuple[str, int | None]
"""A statement and its transaction."""


def recording(*steps: Step) -> list[Exchange]:
    return [exchange(number, text, [], transaction=inside) for number, (text, inside) in enumerate(steps, start=1)]


def replay(recorded: list[Exchange], *steps: Step, task: str = "Task-1 1") -> Report:
    return judged(recorded, [(*step, task) for step in steps])


def judged(recorded: list[Exchange], steps: Iterable[tuple[str, int | None, str]]) -> Report:
    """Of a replay that asked for this, each in a transaction and by a task."""
    source, log = session(*recorded)
    for text, inside, task in steps:
        assert source.take(asked(text, []), replace(by(transaction=inside), task=task)) is not None
    one = segment(*recorded)
    return build(cassette(one), one, log.events, has_entry=False, question=question_of)


def moved(report: Report) -> list[str]:
    assert report.verdict == ("deviates" if report.moved else "same")
    return [each["text"] for each in report.moved]


def within(*texts: str, transaction: int = 1) -> list[Step]:
    return [(text, transaction) for text in texts]


TWO = [*within("BEGIN", "UPDATE a", "UPDATE b", "COMMIT"), *within("BEGIN", "UPDATE c", "COMMIT", transaction=2)]
SAVEPOINT = within("BEGIN", "SAVEPOINT s", "INSERT a", "ROLLBACK TO s", "INSERT b", "COMMIT")


def test_the_same_course_is_the_same() -> None:
    for steps in (TWO, SAVEPOINT):
        found = replay(recording(*steps), *steps)
        assert (moved(found), found.uncontrolled) == ([], ())


def test_a_statement_in_another_transaction_deviates_and_is_named() -> None:
    changed = [
        *within("BEGIN", "UPDATE a", "COMMIT"),
        *within("BEGIN", "UPDATE b", "UPDATE c", "COMMIT", transaction=2),
    ]
    found = replay(recording(*TWO), *changed)
    assert moved(found) == ["UPDATE b"]
    assert json.loads(json.dumps(found.to_json()))["moved"][0]["exchange"] == "p-3"
    assert "  UPDATE b   exchange p-3\n" in render(found)
    assert render(found).endswith(": 1 request in another transaction\n")


def test_a_program_with_a_statement_in_another_transaction_has_failed() -> None:
    changed = [
        *within("BEGIN", "UPDATE a", "COMMIT"),
        *within("BEGIN", "UPDATE b", "UPDATE c", "COMMIT", transaction=2),
    ]
    assert Execution(replay(recording(*TWO), *changed), 0).exit_code == 1
    assert Execution(replay(recording(*TWO), *TWO), 0).exit_code == 0


def test_two_transactions_that_became_one_deviate() -> None:
    recorded = recording(*within("BEGIN", "UPDATE a", "UPDATE b"), *within("UPDATE c", "COMMIT", transaction=2))
    found = replay(recorded, *within("BEGIN", "UPDATE a", "UPDATE b", "UPDATE c", "COMMIT"))
    assert moved(found) == ["UPDATE c", "COMMIT"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (within("BEGIN", "SAVEPOINT s", "INSERT a", "INSERT b", "ROLLBACK TO s", "COMMIT"), ["INSERT b"]),
        (within("BEGIN", "INSERT a", "SAVEPOINT s", "ROLLBACK TO s", "INSERT b", "COMMIT"), ["INSERT a"]),
    ],
)
def test_a_statement_on_the_other_side_of_a_savepoint_deviates(changed: list[Step], expected: list[str]) -> None:
    assert moved(replay(recording(*SAVEPOINT), *changed)) == expected


def test_transactions_that_ran_together_may_change_places() -> None:
    """Each gets ids and answers of the other then."""
    changed = [(text, 3 - number) for text, number in TWO if number]
    assert moved(replay(recording(*TWO), *changed)) == []


@pytest.mark.parametrize("end", ["COMMIT AND CHAIN", "INSERT b; COMMIT; BEGIN"])
def test_a_recorded_number_may_stand_for_several_transactions(end: str) -> None:
    texts = ("BEGIN", "INSERT a", end, "INSERT c", "COMMIT")
    recorded = recording(*within(*texts))
    assert moved(replay(recorded, *within(*texts[:3]), *within(*texts[3:], transaction=2))) == []
    other = within("BEGIN", "INSERT a", "INSERT c", end), within("COMMIT", transaction=2)
    assert moved(replay(recorded, *other[0], *other[1])) == ["INSERT c"]


def test_transactions_are_alike_that_were_begun_in_another_way() -> None:
    """A pool's connection is asked for the usual level by name, once it had another one."""
    named = "BEGIN ISOLATION LEVEL READ COMMITTED"
    recorded = recording(*within("BEGIN", "INSERT a", "COMMIT"), *within(named, "INSERT b", "COMMIT", transaction=2))
    changed = *within(named, "INSERT a", "COMMIT"), *within("BEGIN", "INSERT b", "COMMIT", transaction=2)
    assert moved(replay(recorded, *changed)) == []


def test_a_set_gives_the_statements_of_a_transaction_another_order() -> None:
    steps = within("BEGIN", "SAVEPOINT s", "INSERT a", "RELEASE s", "SAVEPOINT s", "INSERT b", "RELEASE s", "COMMIT")
    changed = [*steps[:2], steps[5], *steps[3:5], steps[2], *steps[6:]]
    assert moved(replay(recording(*steps), *changed)) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("BACD", "GET B (exchange p-2) before GET A (exchange p-1)"),
        ("BCDA", "GET A (exchange p-1) after GET D (exchange p-4)"),
        ("DABC", "GET D (exchange p-4) before GET A (exchange p-1)"),
    ],
)
def test_the_order_is_told_by_the_one_that_moved_and_decides_nothing(changed: str, expected: str) -> None:
    recorded = recording(*((f"GET {name}", None) for name in "ABCD"))
    found = replay(recorded, *((f"GET {name}", None) for name in changed))
    assert found.verdict == "same"
    assert found.uncontrolled == (f"{REORDERED}: {expected}",)


def test_only_the_first_of_what_moved_are_told() -> None:
    steps: list[Step] = [(f"GET {number}", None) for number in range(6)]
    found = replay(recording(*steps), *reversed(steps))
    assert found.uncontrolled[-1] == f"{REORDERED}: 2 more requests"
    assert len(found.uncontrolled) == 4


def test_the_order_of_what_was_under_way_together_or_is_asked_by_two_tasks_was_chance() -> None:
    first, second = recording(("SET a", None), ("DEL a", None))
    assert replay([replace(first, duration_ns=50_000), second], ("DEL a", None), ("SET a", None)).uncontrolled == ()
    assert judged([first, second], [("DEL a", None, "Task-1 1"), ("SET a", None, "Task-2 2")]).uncontrolled == ()


def test_equal_requests_are_in_order_whichever_answers_first() -> None:
    """A transaction binds: the second of two equal ones may answer before the first."""
    recorded = recording(("BEGIN", 1), ("SELECT 1", 1), ("BEGIN", 2), ("SELECT 2", 2), ("SELECT 1", 2))
    found = replay(recorded, ("BEGIN", 2), ("SELECT 1", 2), ("BEGIN", 1), ("SELECT 2", 1), ("SELECT 1", 1))
    assert (moved(found), found.uncontrolled) == ([], ())


def test_what_nobody_waits_for_has_no_course() -> None:
    sent, waited = recording(("UPDATE a", None), ("SELECT b", None))
    turned: list[Step] = [("SELECT b", None), ("UPDATE a", None)]
    assert replay([sent, waited], *turned).uncontrolled
    assert replay([replace(sent, result={"unacknowledged": True}), waited], *turned).uncontrolled == ()


def test_pages_of_a_cursor_have_no_course() -> None:
    first, second = recording(("FETCH 10 FROM c", 1), ("UPDATE a", 2))
    paged = replace(first, request={**first.request, "cursor": 1})
    assert replay([paged, second], ("UPDATE a", 1), ("FETCH 10 FROM c", 1)).uncontrolled == ()
