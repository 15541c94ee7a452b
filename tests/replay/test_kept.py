"""What is answered from earlier requests, and what is not: by what the request asked itself, and by transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.replay.recordings import LIB
from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.base import Asked, Question
from timetracer_otel.replay.kept import Kept


class Earlier:
    """Answers to these statements, as often as it is asked."""

    def __init__(self, *statements: str) -> None:
        self._statements = statements

    def take(self, question: Question, asked: Asked) -> Exchange | None:
        method, text = question.method, question.text
        return (
            Exchange(f"e-{text}", "db.query", Signature(LIB, method, ""), {}, {}) if text in self._statements else None
        )


def answers(kept: Kept, own: Sequence[str], asked: Sequence[str], connection: int = 1) -> list[str]:
    """Who answers each of the statements, as a session asks them: the request's own recording has `own`, once each."""
    left, found = list(own), list[str]()
    for text in asked:
        question = Question(LIB, text.split()[0], "", shape=text, text=text)
        where = Asked(connection=connection)
        if kept.end(question, where) is not None:
            found.append("earlier")
        elif text not in left or kept.is_barred(question, where):
            found.append("earlier" if kept.instead(question, where, text in own) is not None else "miss")
        else:
            left.remove(text)
            kept.answered(question, where)
            found.append("own")
    return found


def kept(*statements: str) -> Kept:
    sources: Any = [Earlier("BEGIN", "COMMIT", *statements)]
    return Kept(sources)


def test_what_the_request_had_not_asked_is_answered_as_often_as_it_is_asked() -> None:
    assert answers(kept("SELECT a"), ["SELECT b"], ["SELECT a", "SELECT b", "SELECT a"]) == [
        "earlier",
        "own",
        "earlier",
    ]


def test_what_it_had_asked_itself_is_not() -> None:
    assert answers(kept("SELECT b"), ["SELECT b"], ["SELECT b", "SELECT b"]) == ["own", "miss"]


def test_what_nobody_asked_is_a_miss() -> None:
    assert answers(kept("SELECT a"), [], ["SELECT c"]) == ["miss"]


def test_a_transaction_of_which_all_was_kept_leaves_the_recorded_one_whole() -> None:
    own = ["BEGIN", "SELECT b", "COMMIT"]
    asked = ["BEGIN", "SELECT a", "COMMIT", *own]
    assert answers(kept("SELECT a"), own, asked) == ["own", "earlier", "earlier", "earlier", "own", "own"]
    assert answers(kept("SELECT a"), own, [*own, *asked[:3]]) == ["own", "own", "own", "earlier", "earlier", "earlier"]


def test_in_a_mixed_transaction_its_bounds_are_the_recorded_ones() -> None:
    own = ["BEGIN", "SELECT b", "COMMIT"]
    assert answers(kept("SELECT a"), own, ["BEGIN", "SELECT a", "SELECT b", "COMMIT"]) == [
        "own",
        "earlier",
        "own",
        "own",
    ]
    assert answers(kept("SELECT a"), own, ["BEGIN", "SELECT b", "SELECT a", "COMMIT"]) == [
        "own",
        "own",
        "earlier",
        "own",
    ]


def test_a_transaction_that_became_two_gets_no_recorded_answer_in_the_second() -> None:
    own = ["BEGIN", "SELECT b", "SELECT c", "COMMIT"]
    asked = ["BEGIN", "SELECT b", "COMMIT", "BEGIN", "SELECT c", "COMMIT"]
    assert answers(kept("SELECT a"), own, asked) == ["own", "own", "own", "earlier", "miss", "miss"]


def test_an_end_of_which_nothing_was_kept_is_a_miss() -> None:
    assert answers(kept("SELECT a"), ["SELECT b"], ["SELECT b", "BEGIN", "COMMIT"]) == ["own", "earlier", "miss"]
    assert answers(kept("SELECT a"), ["BEGIN", "SELECT b"], ["BEGIN", "SELECT b", "COMMIT"]) == ["own", "own", "miss"]


def test_a_transaction_goes_on_after_a_part_of_it_was_rolled_back() -> None:
    own = ["BEGIN", "SELECT b", "SAVEPOINT s", "SELECT c", "ROLLBACK TO s", "COMMIT"]
    asked = [*own[:-1], "SELECT a", "COMMIT"]
    assert answers(kept("SELECT a"), own, asked) == [*["own"] * 5, "earlier", "own"]


def test_connections_have_their_own_transactions() -> None:
    one = kept("SELECT a")
    assert answers(one, ["BEGIN"], ["BEGIN", "SELECT a"]) == ["own", "earlier"]
    assert answers(one, ["COMMIT"], ["COMMIT"], connection=2) == ["own"]
    assert answers(one, ["COMMIT"], ["COMMIT"], connection=1) == ["earlier"]
