from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from timetracer_otel.wire.postgres.answers import Answer
from timetracer_otel.wire.postgres.description import describe, failed_to_parse

FINE = Answer({"statement": "SELECT 1"}, {})
WRONG = Answer({"statement": "SELECT 1"}, {"error": {"C": "42601", "M": "syntax error"}})


class Looked(Sequence[Answer]):
    """Counts how many were looked at."""

    def __init__(self, *answers: Answer) -> None:
        self._answers, self.looked_at = answers, 0

    def __iter__(self) -> Iterator[Answer]:
        for answer in self._answers:
            self.looked_at += 1
            yield answer

    def __len__(self) -> int:
        return len(self._answers)

    def __getitem__(self, index: Any) -> Any:
        return self._answers[index]


def test_of_a_statement_that_was_answered_thousands_of_times_one_answer_is_looked_at() -> None:
    known = Looked(*[FINE] * 1_000)
    assert failed_to_parse(known) is None
    assert known.looked_at == 1


def test_a_statement_is_wrong_in_itself_only_if_it_never_did_anything_else() -> None:
    assert failed_to_parse([WRONG, WRONG]) is WRONG
    assert failed_to_parse([WRONG, FINE]) is None
    assert failed_to_parse([]) is None


def test_a_statement_that_was_prepared_and_then_refused_is_not_wrong_in_itself() -> None:
    refused = Answer({"statement": "SELECT 1", "prepared": True}, {"error": {"C": "42501", "M": "permission denied"}})
    assert failed_to_parse([refused, refused]) is None


def test_of_a_parameter_that_nobody_names_the_client_is_told_text_and_nothing_is_known() -> None:
    found = describe("select $1, $2::int, $3::text[], $4::mood", (0, 0, 0, 0), [])
    assert found.known_oids == (0, 23, 1009, 0)
    assert found.parameter_oids == (25, 23, 1009, 25)
