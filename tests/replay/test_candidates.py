"""What is looked up must be what a look through all candidates would find, and must not grow with the recording."""

from __future__ import annotations

import functools
import sys
import uuid
from collections.abc import Callable, Iterable
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.recordings import END_NS, START_NS, asked, by, exchange, question_of, reading_of, session
from timetracer_otel.drivers.base import Question
from timetracer_otel.replay.candidates import Candidate, Family, Place
from timetracer_otel.replay.instants import window
from timetracer_otel.replay.origin import Mapping, Origins
from timetracer_otel.replay.session import Session

IDS = [f"{n}1111111-2222-4333-8444-555555555555" for n in range(3)]
MADE = [f"{n}aaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee" for n in range(3)]
THEN, NOW, LONG_AGO = "2026-09-21T14:13:20.100000Z", "2026-09-21T14:13:20.300000Z", "2001-09-21T14:13:20Z"
MARKERS = ["[redacted:secrets#0a1b2c]", "[redacted:secrets#ffffff]"]

AN_HOUR_ON = "2026-09-21T15:13:20.100000Z", "2026-09-21T15:13:20.300000Z"
COUNTED = "1790003600.1", "1790003600.3", "1790003600100", "1790003600300"
READ_NS = START_NS + 300_000_000

PIECES = (*IDS, THEN, NOW, LONG_AGO, *AN_HOUR_ON, *COUNTED, *MARKERS, "s3cret", "key/", " ")


def rows(*pieces: str) -> st.SearchStrategy[tuple[str, str | int]]:
    texts = st.lists(st.sampled_from(pieces), min_size=1, max_size=3).map("".join)
    return st.tuples(texts, st.one_of(texts, st.integers(0, 1)))


@given(
    st.lists(rows(*PIECES), min_size=1, max_size=6), st.lists(rows(*PIECES, *MADE), min_size=1, max_size=4), st.data()
)
def test_whatever_can_be_proven_is_among_those_that_are_looked_at(
    recorded: list[tuple[str, str | int]], questions: list[tuple[str, str | int]], data: st.DataObject
) -> None:
    limits = window(START_NS, END_NS)
    origins, family = Origins(IDS[:2], limits, lambda: limits, reading_of([READ_NS])), Family()
    for each in MADE[:2]:
        origins.made(uuid.UUID(each))
    for number, parameters in enumerate(recorded):
        paths = data.draw(st.sampled_from([(), ("request.parameters[0]",), ("request.parameters[1]",)]))
        one = exchange(number, "INSERT $1, $2", parameters, redacted=paths)
        family.add(Candidate(one, question_of(one), Place(), number))
    for parameters in questions:
        question = asked("INSERT $1, $2", parameters)
        fits = {each.order for each in family.unused.values() if proven(origins, each, question) is not None}
        looked_at = [each.order for each in family.provable(question, origins)]
        assert looked_at == sorted(looked_at)
        assert fits <= set(looked_at)
        for order in sorted(fits)[:1]:
            origins.bind(proven(origins, family.all[order], question) or ())
            family.use(family.all[order])


def proven(origins: Origins, candidate: Candidate, question: Question) -> tuple[Mapping, ...] | None:
    return origins.proves(candidate.question.slots, question.slots, candidate.redacted)


# ---- nothing grows ---------------------------------------------------------------------------------------------------

COUNTS = (300, 6_000)
UUID = "{:08x}-2222-4333-8444-555555555555"
NEW = "{:08x}-bbbb-4ccc-8ddd-eeeeeeeeeeee"


def calls_of(work: Callable[[], object]) -> int:
    """How many functions were called: what it costs, on any machine, however busy."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def same_statement(count: int) -> Session:
    return session(*(exchange(n, "SELECT $1, $2", [str(n), "tenant"], n) for n in range(count)))[0]


def equal_requests(count: int) -> Session:
    return session(*(exchange(n, "SELECT $1", ["7"], n, connection=n % 5) for n in range(count)))[0]


def statements(count: int) -> Session:
    return session(*(exchange(n, f"SELECT a, b FROM t{n} WHERE id = $1", ["7"], n) for n in range(count)))[0]


def new_ids(count: int) -> Session:
    ids = [UUID.format(n) for n in range(count)]
    source, _ = session(*(exchange(n, "INSERT $1", [each], n) for n, each in enumerate(ids)), ids=ids)
    for n in range(count):
        source.made(uuid.UUID(NEW.format(n)))
    return source


def secrets(count: int) -> Session:
    each = (exchange(n, "SELECT $1, $2", [f"[redacted:secrets#{n:06x}]", str(n)], n) for n in range(count))
    return session(*each)[0]


def instants(count: int) -> Session:
    """A quarter of a second apart, which is less than what two readings may differ by."""
    each = (exchange(n, "INSERT $1", [f"{1_800_000_000 + n / 4 + 0.125:.6f}"], n) for n in range(count))
    return session(*each, reads=[START_NS + 225_000_000])[0]


def reckoned(n: int) -> Question:
    return asked("INSERT $1", [f"{1_800_000_000 + n + 0.225:.6f}"])


Ask = Callable[[int], Question]


@pytest.mark.parametrize(
    ("recorded", "ask", "is_answered"),
    [
        (same_statement, lambda n: asked("SELECT $1, $2", [str(n), "tenant"]), True),
        (same_statement, lambda n: asked("SELECT $1, $2", [f"other {n}", "tenant"]), False),
        (equal_requests, lambda n: asked("SELECT $1", ["7"]), True),
        (statements, lambda n: asked(f"SELECT a, b FROM t{n} WHERE id = $1", ["7"]), True),
        (statements, lambda n: asked(f"SELECT a, b, c{n} FROM t{n} WHERE ids = $1", ["7"]), False),
        (new_ids, lambda n: asked("INSERT $1", [NEW.format(n)]), True),
        (new_ids, lambda n: asked("INSERT $1", [NEW.format(n + 10**6)]), False),
        (instants, lambda n: reckoned(n // 4), True),
        (instants, lambda n: reckoned(n + 10**6), False),
        (secrets, lambda n: asked("SELECT $1, $2", [f"s3cret {n}", str(n)]), True),
        (secrets, lambda n: asked("SELECT $1, $2", [f"s3cret {n}", str(n + 10**6)]), False),
    ],
)
def test_a_question_costs_the_same_in_a_recording_twenty_times_as_long(
    recorded: Callable[[int], Session], ask: Ask, is_answered: bool
) -> None:
    costs = []
    for count in COUNTS:
        source = recorded(count)
        answer(source, ask(0), is_answered)  # what is made at the first question is made once
        order = [(n * 7919 + 1) % count for n in range(100)]
        costs.append(calls_of(functools.partial(answers, source, [ask(n) for n in order], is_answered)))
    assert costs[1] < 1.5 * costs[0], costs


def answers(source: Session, questions: Iterable[Question], are_answered: bool) -> None:
    for question in questions:
        answer(source, question, are_answered)


def answer(source: Session, question: Question, is_answered: bool) -> None:
    found = source.take(question, by())
    assert (found is not None) is is_answered
    if found is None:
        source.miss(question, by())
