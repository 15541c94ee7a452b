"""Time per answer of a replay's matching, in recordings of 100 to 50,000 exchanges: it should not grow.

Each figure is the median of five sessions, in microseconds per
question; at most 2,000 questions are asked. What is made at the first question is shown apart.
"""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Final

from harness import options

from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.base import Asked, Question, Slot
from timetracer_otel.replay.instants import window
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.library import Library, Recorded
from timetracer_otel.replay.origin import Origins
from timetracer_otel.replay.session import Session

ROWS: Final = ("matching of a replay",)
COUNTS: Final = (100, 1_000, 10_000, 50_000)
ASKED_MAX: Final = 2_000
ROUNDS: Final = 5
ONE: Final = "SELECT total, currency FROM orders WHERE id = $1 AND tenant = $2"
Row = tuple[str, tuple[str, ...]]
"""Statement and parameters."""


def same(number: int) -> Row:
    return ONE, (str(number), "shop")


def different(number: int) -> Row:
    return f"SELECT total, currency FROM orders_{number} WHERE id = $1 AND tenant = $2", ("7", "shop")


def equal(_: int) -> Row:
    return ONE, ("7", "shop")


def new_id(number: int) -> Row:
    return "INSERT INTO visits VALUES ($1, $2)", (str(uuid.UUID(int=number + (4 << 76))), "shop")


def question(row: Row) -> Question:
    statement, values = row
    slots = tuple(Slot(f"parameters[{n}]", value, value, value) for n, value in enumerate(values))
    return Question("psycopg", "SELECT", "shop", statement, statement, slots, "shop")


def exchange(number: int, row: Row) -> Exchange:
    request = {"statement": row[0], "parameters": list(row[1])}
    signature = Signature("psycopg", "SELECT", "shop")
    return Exchange(f"p-{number}", "db.query", signature, request, {"rows": 1}, at_ns=number * 10, duration_ns=5)


def question_of(recorded: Exchange) -> Question:
    values = recorded.request["parameters"]
    assert isinstance(values, list)
    return question((str(recorded.request["statement"]), tuple(map(str, values))))


def session(rows: Iterable[Row], made: Iterable[str] = ()) -> Session:
    exchanges = tuple(exchange(number, row) for number, row in enumerate(rows))
    ids = [value for each in exchanges for value in map(str, each.request["parameters"]) if "-" in value]  # type: ignore[arg-type]  # a list, see above
    limits = window(0, 10**9)
    source = Session(
        Recorded("bench", exchanges),
        Library(exchanges, question_of),
        Origins(ids, limits, lambda: limits),
        MemoryJournal(),
    )
    for each in made:
        source.made(uuid.UUID(each))
    return source


def other_value(number: int) -> Row:
    return ONE, (f"other {number}", "shop")


def other_statement(number: int) -> Row:
    return f"SELECT total, vat_{number} FROM orders_{number} WHERE id = $1 AND tenant = $2", ("7", "shop")


def made_here(number: int) -> Row:
    return "INSERT INTO visits VALUES ($1, $2)", (str(uuid.UUID(int=number + (5 << 76))), "shop")


CASES: Final[dict[str, tuple[Callable[[int], Row], Callable[[int], Row], bool]]] = {
    "same statement, recorded order": (same, same, False),
    "same statement, shuffled": (same, same, True),
    "different statements, recorded order": (different, different, False),
    "different statements, shuffled": (different, different, True),
    "equal requests": (equal, equal, False),
    "new ids, recorded order": (new_id, made_here, False),
    "new ids, shuffled": (new_id, made_here, True),
    "misses by a value": (same, other_value, False),
    "misses by the statement": (different, other_statement, False),
}


def timed(
    recorded: Callable[[int], Row], asked: Callable[[int], Row], shuffled: bool, count: int
) -> tuple[float, float]:
    """Seconds for the first question, and for each of those after it."""
    made = [asked(number)[1][0] for number in range(count)] if asked is made_here else ()
    source = session(map(recorded, range(count)), made)
    order = list(range(count))
    if shuffled:
        random.Random(7).shuffle(order)
    questions = [question(asked(number)) for number in order[:ASKED_MAX]]
    began = time.perf_counter()
    ask(source, questions[:1])
    first = time.perf_counter()
    ask(source, questions[1:])
    return first - began, (time.perf_counter() - first) / (len(questions) - 1)


def ask(source: Session, questions: Iterable[Question]) -> None:
    for each in questions:
        where = Asked("shop/orders.py:31 load_order", "GET /orders", ("GET /orders",))
        if source.take(each, where) is None:
            source.miss(each, where)


def main(wanted: int) -> None:
    print(f"{'microseconds per question (first, in ms)':40}" + "".join(f"{count:>20,}" for count in COUNTS))
    for name, (recorded, asked, shuffled) in CASES.items():
        cells = []
        for count in COUNTS:
            rounds = [timed(recorded, asked, shuffled, count) for _ in range(wanted)]
            first, each = (statistics.median(column) for column in zip(*rounds, strict=True))
            cells.append(f"{each * 1e6:.1f} ({first * 1e3:.0f})")
        print(f"{name:40}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(options(__doc__, ROUNDS).rounds)
