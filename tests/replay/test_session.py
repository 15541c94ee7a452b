from __future__ import annotations

import hashlib
import threading
import time
import uuid
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.recordings import (
    END_NS,
    ROOT,
    START_NS,
    asked,
    by,
    exchange,
    question_of,
    session,
    span,
)
from timetracer_otel.cassette.model import Acquire, Exchange, Value
from timetracer_otel.drivers.base import AnswerSource, Question, Slot
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.kept import Kept
from timetracer_otel.replay.library import Library, Recorded
from timetracer_otel.replay.origin import Origins, unbound
from timetracer_otel.replay.session import Session

SELECT = "SELECT state FROM jobs WHERE id = $1"
ID = "11111111-2222-4333-8444-555555555555"
OTHER_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


def answer(of: Exchange | None) -> object:
    return None if of is None else of.result["answer"]


def test_a_session_is_what_a_driver_asks_for_answers() -> None:
    source: AnswerSource = session()[0]
    assert not source.is_environment


def test_r32_equal_calls_are_answered_in_recorded_order_and_one_too_many_is_explained() -> None:
    source, journal = session(*(exchange(n, SELECT, ["7"], a) for n, a in enumerate(["pending", "pending", "done"])))
    question = asked(SELECT, ["7"])
    assert [answer(source.take(question, by())) for _ in range(3)] == ["pending", "pending", "done"]
    assert source.take(question, by()) is None
    text = source.miss(question, by())
    assert "recorded 3 times, all used up: this is call number 4" in text
    [miss] = journal.of("miss")
    assert miss["differences"] == [{"path": "calls", "recorded": 3, "asked": 4}]


def test_a_value_that_differs_is_a_miss_that_names_it() -> None:
    source, journal = session(exchange(1))
    question = asked(parameters=["43"])
    assert source.take(question, by()) is None
    text = source.miss(question, by())
    assert text == (
        "timetracer: no recorded answer for SELECT total FROM orders WHERE id = $1; "
        "nearest exchange p-1, parameters[0]: recorded '42', asked '43'"
    )
    [miss] = journal.of("miss")
    assert miss["nearest"] == {
        "exchange": "p-1",
        "text": "SELECT total FROM orders WHERE id = $1",
        "values": ["42"],
        "used": False,
    }
    assert miss["frame"] == "shop/orders.py:31 load_order"


def test_beside_a_value_that_differs_one_that_may_differ_is_not_named() -> None:
    then, now = "2026-09-21T14:13:20.100123+00:00", "2026-09-21T14:13:20.200123+00:00"
    source, journal = session(exchange(1, parameters=[then, "AB12CD34", "42"]), draws=list("XK81PQ22"))
    source.miss(asked(parameters=[now, "XK81PQ22", "43"]), by())
    source.miss(asked(parameters=[now, "XK81PQ23", "42"]), by())
    source.miss(asked(parameters=[now, "AB12CD34", "42"]), by())
    told = [[each["path"] for each in miss["differences"]] for miss in journal.of("miss")]
    assert told == [["parameters[2]"], ["parameters[1]"], ["parameters[0]"]]


def test_keys_in_another_order_are_told_as_that() -> None:
    def document(at: str, *names: str) -> Question:
        known = asked(parameters=["x", at, "pdf"])
        named = dict(zip(("tags", "at", "kind"), known.slots, strict=True))
        return replace(known, slots=tuple(replace(named[name], path=f"doc.{name}") for name in names))

    then, now = "2026-09-21T14:13:20.100123+00:00", "2026-09-21T14:13:20.200123+00:00"
    source, journal = session(exchange(1), question=lambda _: document(then, "at", "kind", "tags"))
    for each in (then, now):
        source.miss(document(each, "at", "tags", "kind"), by())
    order = {"path": "order of keys", "recorded": ["doc.kind", "doc.tags"], "asked": ["doc.tags", "doc.kind"]}
    assert [miss["differences"] for miss in journal.of("miss")] == [[order], [order]]


def test_types_count() -> None:
    source, _ = session(exchange(1, parameters=["42"]))
    assert source.take(asked(parameters=[42]), by()) is None


def test_a_changed_statement_is_explained_by_its_words() -> None:
    source, journal = session(exchange(1), exchange(2, "INSERT INTO audit VALUES ($1)", ["x"]))
    question = asked("SELECT totals FROM orders WHERE id = $1")
    assert source.take(question, by()) is None
    source.miss(question, by())
    [miss] = journal.of("miss")
    assert miss["nearest"]["exchange"] == "p-1"
    assert miss["differences"] == [{"path": "statement", "recorded": "total", "asked": "totals"}]


def test_nothing_is_near_to_something_quite_different() -> None:
    source, journal = session(exchange(1))
    question = asked("VACUUM", [])
    source.miss(question, by())
    assert journal.of("miss")[0]["nearest"] is None


def test_r34_calls_in_another_order_each_get_their_own_answer() -> None:
    source, journal = session(*(exchange(n, SELECT, [str(n)], n) for n in range(20)))
    for n in [*range(19, 9, -1), *range(10)]:
        assert answer(source.take(asked(SELECT, [str(n)]), by())) == n
    assert source.is_used_up
    assert not journal.of("ambiguous")


@given(st.permutations(range(12)), st.lists(st.sampled_from("abc"), min_size=12, max_size=12))
def test_no_answer_comes_from_a_request_that_differs(order: list[int], values: list[str]) -> None:
    source, _ = session(*(exchange(n, SELECT, [value]) for n, value in enumerate(values)))
    for n in order:
        found = source.take(asked(SELECT, [values[n]]), by())
        assert found is not None
        assert found.request["parameters"] == [values[n]]
    assert source.take(asked(SELECT, ["d"]), by()) is None


def test_every_exchange_answers_once_whatever_the_threads_do() -> None:
    source, journal = session(*(exchange(n, SELECT, ["7"], n) for n in range(400)))
    taken: list[object] = []

    def work() -> None:
        for _ in range(50):
            taken.append(answer(source.take(asked(SELECT, ["7"]), by())))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, taken)) == sorted(map(str, range(400)))
    assert len(journal.of("take")) == 400


def test_ten_thousand_equal_calls_take_no_longer_each_than_the_first() -> None:
    source, _ = session(*(exchange(n, SELECT, ["7"], n, connection=n % 5) for n in range(10_000)))
    question = asked(SELECT, ["7"])
    began = time.thread_time()  # not the clock on the wall: others may be at work
    for _ in range(10_000):
        assert source.take(question, by(connection=1)) is not None
    assert time.thread_time() - began < 5


# ---- among equals ----------------------------------------------------------------------------------------------------


def test_the_transaction_that_the_connection_follows_decides_first() -> None:
    source, _ = session(
        exchange(1, "BEGIN", [], "a", transaction=1, connection=1),
        exchange(2, "BEGIN", [], "b", transaction=2, connection=2),
        exchange(3, "INSERT $1", ["x"], transaction=1, connection=1),
        exchange(4, "INSERT $1", ["y"], transaction=2, connection=2),
        exchange(5, "COMMIT", [], "first", transaction=1, connection=1),
        exchange(6, "COMMIT", [], "second", transaction=2, connection=2),
    )
    assert source.take(asked("BEGIN", []), by(8, 80)) is not None
    assert source.take(asked("INSERT $1", ["y"]), by(8, 80)) is not None
    assert answer(source.take(asked("COMMIT", []), by(8, 80))) == "second"


def test_the_recorded_connection_decides_next() -> None:
    source, _ = session(
        exchange(1, "SET a", [], connection=1),
        exchange(2, "SET b", [], connection=2),
        exchange(3, SELECT, ["7"], "first", connection=1),
        exchange(4, SELECT, ["7"], "second", connection=2),
    )
    assert source.take(asked("SET b", []), by(9)) is not None
    assert answer(source.take(asked(SELECT, ["7"]), by(9))) == "second"


def test_the_place_in_the_span_tree_decides_next_and_the_name_of_the_root_does_not_count() -> None:
    spans = [span(ROOT, "GET /orders/{id}"), span("b" * 16, "price", ROOT), span("c" * 16, "stock", ROOT)]
    source, _ = session(
        exchange(1, SELECT, ["7"], "price", span_id="b" * 16),
        exchange(2, SELECT, ["7"], "stock", span_id="c" * 16),
        spans=spans,
    )
    assert answer(source.take(asked(SELECT, ["7"]), by(path=("GET", "stock")))) == "stock"


def test_equal_calls_under_way_together_with_different_answers_are_ambiguous() -> None:
    source, journal = session(
        exchange(1, SELECT, ["7"], "a", at_ns=0, duration_ns=500, connection=1),
        exchange(2, SELECT, ["7"], "b", at_ns=100, duration_ns=500, connection=2),
    )
    assert answer(source.take(asked(SELECT, ["7"]), by())) == "a"
    assert [event["exchange"] for event in journal.of("ambiguous")] == ["p-1"]


def transaction(number: int, at_ns: int, numbered: object, inserted: str) -> list[Exchange]:
    """BEGIN, a question that all ask and its answer, and one that names the answer."""
    asked_for = [("BEGIN", [], ""), ("NEXT", [], numbered), ("INSERT $1", [inserted], "")]
    return [
        exchange(10 * number + n, sql, values, given, at_ns=at_ns + 100 * n, transaction=number)  # type: ignore[arg-type]  # a str or an int
        for n, (sql, values, given) in enumerate(asked_for)
    ]


def test_r34_which_of_equal_transactions_that_ran_together_one_is_is_ambiguous_and_then_it_stays_in_it() -> None:
    source, journal = session(*transaction(1, 0, 100, "100"), *transaction(2, 150, 101, "101"))
    for connection, number in ((8, 100), (9, 101)):
        source.take(asked("BEGIN", []), by(connection, connection))
        assert answer(source.take(asked("NEXT", []), by(connection, connection))) == number
        assert source.take(asked("INSERT $1", [str(number)]), by(connection, connection)) is not None
    assert [event["exchange"] for event in journal.of("ambiguous")] == ["p-10"]  # the second had no choice


@pytest.mark.parametrize(
    ("second_at_ns", "second_answer", "inserted"),
    [(1_000_000, 101, "101"), (150, 100, "100"), (150, 100, "101")],
    ids=["one after the other", "equal", "told by what they ask"],
)
def test_transactions_that_do_not_differ_by_their_answers_alone_are_not_ambiguous(
    second_at_ns: int, second_answer: int, inserted: str
) -> None:
    source, journal = session(*transaction(1, 0, 100, "100"), *transaction(2, second_at_ns, second_answer, inserted))
    source.take(asked("BEGIN", []), by(8, 80))
    assert not journal.of("ambiguous")


@pytest.mark.parametrize(("second_at_ns", "second_answer"), [(600, "b"), (100, "a")])
def test_one_after_the_other_or_equal_answers_are_not_ambiguous(second_at_ns: int, second_answer: str) -> None:
    source, journal = session(
        exchange(1, SELECT, ["7"], "a", at_ns=0, duration_ns=500),
        exchange(2, SELECT, ["7"], second_answer, at_ns=second_at_ns),
    )
    source.take(asked(SELECT, ["7"]), by())
    assert not journal.of("ambiguous")


def test_the_database_counts_only_where_there_is_more_than_one() -> None:
    one, _ = session(exchange(1, database="shop"))
    assert one.take(asked(database="shop_local"), by()) is not None
    two, _ = session(exchange(1, database="shop"), exchange(2, database="stock", answer=2))
    assert answer(two.take(asked(database="stock"), by())) == 2
    assert two.take(asked(database="other"), by()) is None


# ---- environment -----------------------------------------------------------------------------------------------------


def test_answers_of_the_environment_repeat() -> None:
    source, _ = session(exchange(1, answer="a"), exchange(2, answer="b"), is_environment=True)
    assert [answer(source.take(asked(), by())) for _ in range(4)] == ["a", "b", "b", "b"]


def test_known_exchanges_are_there_used_or_not_the_next_one_first() -> None:
    source, _ = session(exchange(1), exchange(2, parameters=["43"]), exchange(3, "COMMIT", []))
    source.take(asked(), by())
    shape = asked().shape
    assert [each.id for each in source.known("psycopg", shape)] == ["p-2", "p-1"]
    ahead = source.ahead("psycopg", shape)
    assert (ahead is not None and ahead.id, source.ahead("psycopg", "no such shape")) == ("p-2", None)
    assert source.known("psycopg", "no such shape") == ()


# ---- recordings that are not whole -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        (exchange(1, dropped={"reason": "limit", "size": 99}), "recorded without its payload (99 bytes): limit"),
        (exchange(1, complete=False), "recorded without its end"),
    ],
)
def test_an_exchange_that_is_not_whole_is_refused_with_the_reason(recorded: Exchange, reason: str) -> None:
    source, journal = session(recorded)
    assert source.take(asked(), by()) is None
    assert reason in source.miss(asked(), by())
    assert [event["exchange"] for event in journal.of("incomplete")] == ["p-1"]
    assert journal.of("miss")[0]["unfit"]
    assert not journal.of("take")


def test_the_rollback_after_a_miss_on_the_same_connection_follows_from_it() -> None:
    source, journal = session(exchange(1), exchange(2, "COMMIT", []))
    source.miss(asked(parameters=["43"]), by(3))
    source.miss(asked("ROLLBACK", []), by(3))
    source.miss(asked("ROLLBACK", []), by(4))
    assert [event["consequent"] for event in journal.of("miss")] == [False, True, False]


# ---- values of proven origin -----------------------------------------------------------------------------------------


def made(source: Session, *ids: str) -> None:
    for each in ids:
        source.made(uuid.UUID(each))


def test_r35_a_new_uuid_stands_for_the_recorded_one_everywhere() -> None:
    source, journal = session(
        exchange(1, "INSERT $1", [ID]), exchange(2, "SELECT $1", [f"key/{ID.replace('-', '')}"]), ids=[ID]
    )
    made(source, OTHER_ID)
    assert source.take(asked("INSERT $1", [OTHER_ID]), by()) is not None
    assert source.take(asked("SELECT $1", [f"key/{OTHER_ID.replace('-', '')}"]), by()) is not None
    assert [(each["kind"], each["replayed"][-4:]) for each in journal.of("mapping")] == [("uuid4", "eeee")] * 2
    assert source.explains(f"order {ID}", f"order {OTHER_ID}")
    assert not source.explains(f"order {ID}", f"Order {OTHER_ID}")


OBJECT_IDS = [f"6b070cb6a0fae5343faf12{number:02x}" for number in range(3)]


def marked(question: Question) -> Question:
    """As MongoDB's driver asks: an id of its own is known by its mark."""
    if question.method != "INSERT":
        return question
    made, *others = question.slots
    return replace(question, slots=(replace(made, made=str(made.shown)), *others))


def inserted(made: str, name: str) -> Question:
    return marked(asked("INSERT $1, $2", [made, name]))


def with_inserts(*exchanges: Exchange) -> tuple[Session, MemoryJournal]:
    return session(*exchanges, question=lambda one: marked(question_of(one)))


def test_what_was_written_once_under_a_new_object_id_is_answered_from_no_earlier_request() -> None:
    before, then, now, new = (f"{number:024x}" for number in range(4))
    own = exchange(2, "INSERT $1, $2", [then, "visit"])
    source, _ = with_inserts(own)
    source.kept = Kept([with_inserts(exchange(1, "INSERT $1, $2", [before, "visit"]))[0]])
    assert source.take(inserted(now, "visit"), by()) is own
    assert source.take(inserted(new, "visit"), by()) is None


def test_r35_an_object_id_stands_for_the_recorded_one_in_every_other_store() -> None:
    first, second, new = OBJECT_IDS
    source, journal = with_inserts(
        exchange(1, "INSERT $1, $2", [first, "first"]),
        exchange(2, "SELECT $1", [first], "first"),
        exchange(3, "SELECT $1", [f"key/{first}/{first}.txt"], "first"),
        exchange(4, "INSERT $1, $2", [second, "second"]),
        exchange(5, "SELECT $1", [second], "second"),
    )
    for name, replayed in (("first", second), ("second", new)):  # the app made one more, and told nobody
        assert source.take(inserted(replayed, name), by()) is not None
        assert answer(source.take(asked("SELECT $1", [replayed]), by())) == name
    assert answer(source.take(asked("SELECT $1", [f"key/{second}/{second}.txt"]), by())) == "first"
    assert {each["kind"] for each in journal.of("mapping")} == {"object_id"}
    assert source.explains(f"visit {first}", f"visit {second}")
    assert not source.explains(f"visit {first}", f"visit {new}")


def test_r35_an_object_id_that_stands_for_another_is_in_no_store_taken_for_itself() -> None:
    first, second, new = OBJECT_IDS
    source, _ = with_inserts(
        exchange(1, "INSERT $1, $2", [first, "first"]),
        exchange(2, "SELECT $1", [second], "of another"),
        exchange(3, "SELECT $1", [f"{first} {second}"], "of both"),
    )
    assert source.take(inserted(second, "first"), by()) is not None
    for parameter in (second, first, new, f"{first} {second}", f"{second} {second}", f"{second} {new}"):
        assert source.take(asked("SELECT $1", [parameter]), by()) is None


def test_r35_an_object_id_that_nobody_inserted_is_itself() -> None:
    first, second, _ = OBJECT_IDS
    source, journal = with_inserts(exchange(1, "SELECT $1", [first]))
    assert source.take(asked("SELECT $1", [second]), by()) is None
    assert source.take(asked("SELECT $1", [first]), by()) is not None
    assert not journal.of("mapping")


def test_a_uuid_from_elsewhere_is_a_miss() -> None:
    source, _ = session(exchange(1, "INSERT $1", [ID]), ids=[ID])
    assert source.take(asked("INSERT $1", [OTHER_ID]), by()) is None
    recorded_elsewhere, _ = session(exchange(1, "INSERT $1", [ID]))
    made(recorded_elsewhere, OTHER_ID)
    assert recorded_elsewhere.take(asked("INSERT $1", [OTHER_ID]), by()) is None


def test_one_uuid_cannot_stand_for_two() -> None:
    second = ID.replace("1", "9")
    source, _ = session(exchange(1, "INSERT $1", [ID]), exchange(2, "DELETE $1", [second]), ids=[ID, second])
    made(source, OTHER_ID)
    assert source.take(asked("INSERT $1", [OTHER_ID]), by()) is not None
    assert source.take(asked("DELETE $1", [OTHER_ID]), by()) is None


def test_another_value_beside_a_mapped_one_is_a_miss() -> None:
    source, _ = session(exchange(1, "INSERT $1, $2", [ID, "5 EUR"]), ids=[ID])
    made(source, OTHER_ID)
    assert source.take(asked("INSERT $1, $2", [OTHER_ID, "6 EUR"]), by()) is None


@pytest.mark.parametrize(
    ("recorded_ns", "asked_ns", "is_same"),
    [
        (START_NS + 5, START_NS + 9, True),
        (START_NS - 3_600_000_000_000, START_NS + 9, False),
        (START_NS + 5, END_NS + 3_600_000_000_000, False),
    ],
)
def test_an_instant_is_mapped_only_inside_the_window_of_both_clocks(
    recorded_ns: int, asked_ns: int, is_same: bool
) -> None:
    source, journal = session(
        exchange(1, "INSERT $1", ["then"]),
        question=lambda recorded: asked("INSERT $1", ["then"], instants=[recorded_ns]),
    )
    found = source.take(asked("INSERT $1", ["now"], instants=[asked_ns]), by())
    assert (found is not None) is is_same
    assert len(journal.of("mapping")) == is_same


@pytest.mark.parametrize(
    ("recorded_ns", "asked_ns", "is_same"),
    [
        (START_NS + 100_200_000, START_NS + 700_123_000, True),
        (START_NS + 100_200_000, START_NS + 1_700_123_000, False),
        (START_NS + 600_200_000, START_NS - 299_877_000, False),
        (START_NS + 1_600_200_000, START_NS + 1_700_123_000, True),
        (START_NS + 100_200_000, START_NS + 705_000_000, True),
    ],
    ids=["the clock itself", "a second later", "a second earlier", "as then", "no reading"],
)
def test_an_offset_that_was_changed_by_a_second_is_found_inside_the_window_too(
    recorded_ns: int, asked_ns: int, is_same: bool
) -> None:
    source, _ = session(
        exchange(1, "INSERT $1", ["then"]),
        question=lambda recorded: asked("INSERT $1", ["then"], instants=[recorded_ns]),
        replayed=(START_NS - 1_000_000_000, START_NS + 5_000_000_000),
        reads=[START_NS + 700_123_456],
    )
    assert (source.take(asked("INSERT $1", ["now"], instants=[asked_ns]), by()) is not None) is is_same


HOUR_NS = 3_600_000_000_000
READ_NS = START_NS + 300_123_456
RECKONED_NS = READ_NS // 1000 * 1000 + HOUR_NS


@pytest.mark.parametrize(
    ("recorded_ns", "asked_ns", "is_same"),
    [
        (START_NS + 100_200_000 + HOUR_NS, RECKONED_NS, True),
        (START_NS + 100_200_000 - HOUR_NS, RECKONED_NS - 2 * HOUR_NS, True),
        (START_NS + 100_200_000 + HOUR_NS, RECKONED_NS + 1_000_000_000, False),
        (START_NS + 100_200_000 + HOUR_NS, RECKONED_NS + 50_000_000, False),
        (START_NS + 100_000_000 + HOUR_NS, RECKONED_NS, False),
        (START_NS + 100_000_000 + HOUR_NS, RECKONED_NS // 1_000_000 * 1_000_000, True),
        (START_NS + HOUR_NS, RECKONED_NS, False),
        (START_NS + HOUR_NS, START_NS + HOUR_NS + 1_000_000_000, False),
        (START_NS + 100_200_000 + 300_000 * HOUR_NS, RECKONED_NS + 299_999 * HOUR_NS, False),
    ],
    ids=["later", "earlier", "second", "no reading", "precision", "ms", "whole", "another whole", "centuries"],
)
def test_an_instant_beside_the_window_is_mapped_if_it_is_whole_seconds_from_what_the_app_read(
    recorded_ns: int, asked_ns: int, is_same: bool
) -> None:
    source, journal = session(
        exchange(1, "INSERT $1", ["then"]),
        question=lambda recorded: asked("INSERT $1", ["then"], instants=[recorded_ns]),
        reads=[READ_NS],
    )
    found = source.take(asked("INSERT $1", ["now"], instants=[asked_ns]), by())
    assert (found is not None) is is_same
    assert [each["kind"] for each in journal.of("mapping")] == ["instant"] * is_same


@pytest.mark.parametrize(
    ("recorded", "asked_value", "is_same"),
    [
        (1790003600.1002, 1790003600.300123, True),
        (1789996400.1002, 1789996400.300123, True),
        (1790003600.1002, 1790003600.300223, False),
        (1790003600.1002, 1790003601.300123, False),
        (1790003600100, 1790003600300, True),
        (1790003600100, 1790003600301, False),
        (1790003600100, 1790003600300.0, False),
        (1790003600100200, 1790003600300123, True),
        (1790003600100200300, 1790003600300123456, True),
        (17900036001, 17900036003, False),
        (1790003600, 1790003601, False),
        ("1790003600.1002", "1790003600.300123", True),
        ("reports/1790003600100.json", "reports/1790003600300.json", True),
        ("reports/1790003600100.json", "reports/1790003600300.csv", False),
        ("1790003600.1002", "1790003600300.123", False),
        ("2026-09-21T15:13:20.100200+00:00", "2026-09-21T15:13:20.300123+00:00", True),
        ("2026-09-21 15:13:20.100200", "2026-09-21 15:13:20.300123", True),
        ("2026-09-21T15:13:20.100200+00:00", "2026-09-21T15:13:20.300123", False),
        ("2026-09-21T15:13:20.100200+00:00", "2026-09-21T15:13:21.300123+00:00", False),
        ("until 2026-09-21T15:13:20.100Z, 1790003600.1002", "until 2026-09-21T15:13:20.300Z, 1790003600.300123", True),
        ("until 2026-09-21T15:13:20.100Z, 1790003600.1002", "until 2026-09-21T15:13:20.300Z, 1790003600.300523", False),
    ],
)
def test_a_number_or_a_text_is_mapped_if_it_was_reckoned_from_what_the_app_read(
    recorded: Value, asked_value: Value, is_same: bool
) -> None:
    source, _ = session(exchange(1, "INSERT $1", [recorded]), reads=[START_NS + 77_000_000, READ_NS])
    assert source.explains(recorded, asked_value) is is_same
    assert (source.take(asked("INSERT $1", [asked_value]), by()) is not None) is is_same


def test_an_instant_in_microseconds_may_end_with_none() -> None:
    source, _ = session(exchange(1, "INSERT $1", [1790003600.1002]), reads=[START_NS + 300_000_000])
    assert source.take(asked("INSERT $1", [1790003600.300]), by()) is not None


def test_an_instant_that_was_cut_off_at_a_millisecond_is_not_one_that_was_not() -> None:
    source, _ = session(exchange(1, "INSERT $1", [1790003600.1002]), reads=[START_NS + 300_123_000])
    assert source.take(asked("INSERT $1", [1790003600.300]), by()) is None


def test_of_several_reckoned_instants_each_finds_the_one_near_it() -> None:
    written = [exchange(n, "INSERT $1", [1790003600.1002 + n], n) for n in range(3)]
    source, _ = session(*written, reads=[READ_NS])
    order = [answer(source.take(asked("INSERT $1", [1790003600.300123 + n]), by())) for n in (2, 0, 1)]
    assert order == [2, 0, 1]


MARKER, OTHER_MARKER = "[redacted:secrets#0a1b2c]", "[redacted:secrets#ffffff]"


def test_a_secret_fits_a_redacted_slot_if_only_one_is_left() -> None:
    redacted = ("request.parameters[0]", "result.answer")
    source, journal = session(exchange(1, parameters=[f"Bearer {MARKER}"], redacted=redacted))
    assert source.take(asked(parameters=["Basic s3cret"]), by()) is None
    assert source.take(asked(parameters=["Bearer s3cret"]), by()) is not None
    assert [event["kind"] for event in journal.of("mapping")] == ["redacted"]
    assert [event["path"] for event in journal.of("redacted")] == ["result.answer"]


def test_what_was_sent_once_with_a_secret_is_answered_from_no_earlier_request() -> None:
    own, earlier = (exchange(n, parameters=[f"Bearer {MARKER}"], redacted=("request.parameters[0]",)) for n in (2, 1))
    source, _ = session(own)
    source.kept = Kept([session(earlier, exchange(3, "SELECT 1", []), is_environment=True)[0]])
    assert source.take(asked(parameters=["Bearer s3cret"]), by()) is own
    assert source.take(asked(parameters=["Bearer s3cret"]), by()) is None
    assert source.take(asked("SELECT 1", []), by()) is not None


def test_a_secret_of_the_process_that_replays_is_told_nowhere() -> None:
    recorded = exchange(1, parameters=[f"Bearer {MARKER}", "42"], redacted=("request.parameters[0]",))
    source, journal = session(recorded)
    named = Slot("headers.x-api-key", "s3cret", "s3cret", "s3cret")
    said = source.miss(asked(parameters=["Bearer s3cret", "43"]), by())
    said += source.miss(replace(asked("SELECT 1", []), slots=(named,)), by())
    assert source.take(asked(parameters=["Bearer s3cret", "42"]), by()) is not None
    assert "asked '43'" in said
    assert "s3cret" not in said + str(journal.events)
    (miss, *_) = journal.of("miss")
    assert [each["asked"] for each in miss["differences"]] == ["(a secret)", "43"]


def test_a_secret_that_fits_two_redacted_requests_is_a_miss() -> None:
    source, _ = session(exchange(1, parameters=[MARKER]), exchange(2, parameters=[OTHER_MARKER]))
    assert source.take(asked(parameters=["s3cret"]), by()) is None


def test_a_secret_fits_once_the_other_values_or_used_answers_leave_only_one() -> None:
    """Which of two secrets it is cannot be known; which request it is can."""
    source, journal = session(
        exchange(1, "SELECT $1, $2", [MARKER, "ming"], "of ming"),
        exchange(2, "SELECT $1, $2", [OTHER_MARKER, "zoe"], "of zoe"),
        exchange(3, "SELECT $1, $2", [OTHER_MARKER, "ming"], "of both"),
    )
    assert answer(source.take(asked("SELECT $1, $2", ["s3cret", "zoe"]), by())) == "of zoe"
    assert source.take(asked("SELECT $1, $2", ["another", "ming"]), by()) is not None
    assert [event["exchange"] for event in journal.of("take")] == ["p-2", "p-1"]


def test_a_secret_that_two_may_be_fits_neither_until_one_is_used() -> None:
    source, _ = session(
        exchange(1, parameters=[MARKER], answer="a"), exchange(2, parameters=[OTHER_MARKER], answer="b")
    )
    assert source.take(asked(parameters=["s3cret"]), by()) is None
    assert answer(source.take(asked(parameters=[OTHER_MARKER]), by())) == "b"
    assert answer(source.take(asked(parameters=["s3cret"]), by())) == "a"


def test_a_request_that_was_recorded_as_it_is_comes_before_one_that_a_secret_may_fit() -> None:
    source, journal = session(exchange(1, parameters=[MARKER], answer="a"), exchange(2, parameters=["42"], answer="b"))
    assert answer(source.take(asked(parameters=["42"]), by())) == "b"
    assert not journal.of("mapping")


def test_equal_markers_stand_for_one_secret() -> None:
    source, _ = session(exchange(1, parameters=[MARKER]), exchange(2, parameters=[MARKER]))
    assert source.take(asked(parameters=["s3cret"]), by()) is not None
    assert source.take(asked(parameters=["another"]), by()) is None
    assert source.take(asked(parameters=["s3cret"]), by()) is not None


def test_a_stand_in_for_a_secret_without_room_for_a_marker_fits_by_its_path() -> None:
    source, _ = session(exchange(1, "SELECT $1, $2", [815, 1], redacted=("request.parameters[0]",)))
    assert source.take(asked("SELECT $1, $2", [4711, 2]), by()) is None
    assert source.take(asked("SELECT $1, $2", [4711, 1]), by()) is not None


def of_bytes(value: bytes, is_large: bool = False) -> Question:
    key = ("bytes", hashlib.sha256(value).hexdigest()) if is_large else value
    return replace(asked(), slots=(Slot("parameters[0]", key=key, shown=value[:9], whole=value if is_large else None),))


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("pack", [bytes, zlib.compress])
def test_beside_a_secret_in_bytes_everything_must_be_equal(is_large: bool, pack: Callable[[bytes], bytes]) -> None:
    """Such as a pickle: it has no text, and was the same whatever stood in it."""
    then, now = (pack(b"\x80\x04%b\x94K\x01u." % each) for each in (MARKER.encode(), b"s3cret"))
    other = pack(b"\x80\x04s3cret\x94K\x02u.")
    recorded = exchange(1, redacted=("request.parameters[0]",))
    source, journal = session(recorded, question=lambda _: of_bytes(then, is_large))
    assert source.take(of_bytes(other, is_large), by()) is None
    assert source.take(of_bytes(now, is_large), by()) is recorded
    assert [event["kind"] for event in journal.of("mapping")] == ["redacted"]


def test_a_secret_may_be_any_bytes() -> None:
    recorded = exchange(1, parameters=[MARKER], redacted=("request.parameters[0]",))
    marker = replace(of_bytes(MARKER.encode()).slots[0], text=MARKER)
    source, _ = session(recorded, question=lambda _: replace(asked(), slots=(marker,)))
    assert source.take(of_bytes(b"\x80\x04\xff"), by()) is recorded


def test_an_iso_instant_of_the_outcome_is_explained_only_inside_the_window() -> None:
    source, _ = session()
    recorded, replayed = "2026-09-21T14:13:20.100000+00:00", "2026-09-21T14:13:20.300000Z"
    assert source.explains(recorded, replayed)
    assert not source.explains(recorded, "2026-09-21T15:13:20Z")
    assert not source.explains(recorded, "2026-02-31T14:13:20Z")
    assert not source.explains(recorded, "2026-09-30T14:13:20Z")
    assert not source.explains(1, 2)


EVENT = '{"id": "%s", "at": "%s", "n": %d}'
THEN, NOW = "2026-09-21T14:13:20.100000+00:00", "2026-09-21T14:13:20.300000+00:00"


@pytest.mark.parametrize(
    ("asked_event", "is_same"),
    [
        (EVENT % (OTHER_ID, NOW, 1), True),
        (EVENT % (OTHER_ID, THEN, 1), True),
        (EVENT % (OTHER_ID, NOW, 2), False),
        (EVENT % (OTHER_ID, "2026-09-21T18:13:20.300000+00:00", 1), False),
        (EVENT % (OTHER_ID, NOW.removesuffix("+00:00"), 1), False),
        (EVENT % (OTHER_ID, "2026-09-21T14:13:20+00:00", 1), False),
        (EVENT % ("5" * 8 + OTHER_ID[8:], NOW, 1), False),
    ],
)
def test_an_instant_and_an_id_inside_a_text_are_proven_one_by_one(asked_event: str, is_same: bool) -> None:
    source, _ = session(exchange(1, "INSERT $1", [EVENT % (ID, THEN, 1)]), ids=[ID])
    made(source, OTHER_ID)
    assert (source.take(asked("INSERT $1", [asked_event]), by()) is not None) is is_same


def test_an_instant_of_the_outcome_in_another_spelling_is_a_difference() -> None:
    source, _ = session()
    assert source.explains(f"placed {THEN}", f"placed {NOW}")
    assert not source.explains(THEN, NOW.removesuffix("+00:00"))
    assert not source.explains(THEN, NOW.replace("T", " "))


def test_a_miss_among_hundreds_of_long_statements_is_explained_at_once() -> None:
    columns = ", ".join(f"column_{n}" for n in range(200))
    source, journal = session(*(exchange(n, f"SELECT {columns} FROM t{n} WHERE id = $1", ["7"]) for n in range(300)))
    question = asked(f"SELECT {columns} FROM t150 WHERE ids = $1", ["7"])
    began = time.thread_time()
    source.miss(question, by())
    assert time.thread_time() - began < 3
    assert journal.of("miss")[0]["nearest"]["exchange"] == "p-150"


def test_another_recorded_secret_is_not_the_one_that_was_recorded_here() -> None:
    source, _ = session(exchange(1, parameters=[MARKER]))
    assert source.take(asked(parameters=[OTHER_MARKER]), by()) is None
    same_secret_by_another_rule = MARKER.replace("secrets", "password")
    assert source.take(asked(parameters=[same_secret_by_another_rule]), by()) is not None


def test_r35_an_id_that_was_used_as_it_is_cannot_stand_for_a_new_one_later() -> None:
    source, _ = session(exchange(1, parameters=[ID]), ids=[ID])
    made(source, OTHER_ID)
    assert source.take(asked(parameters=[ID]), by()) is not None
    assert not source.explains(ID, OTHER_ID)


def test_a_request_that_was_too_large_to_be_kept_may_be_the_one_that_is_asked_for() -> None:
    lost = replace(exchange(1, dropped={"reason": "limit", "size": 99}), request={})
    source, journal = session(lost, question=lambda one: replace(asked("(lost)", []), text=""))
    assert source.take(asked(), by()) is None
    assert "recorded without its payload (99 bytes): limit" in source.miss(asked(), by())
    source.miss(asked(parameters=["another"]), by())
    assert [event["unfit"] for event in journal.of("miss")] == [True, False]
    assert len(journal.of("incomplete")) == 1


def test_a_request_whose_values_were_too_large_to_be_kept_may_be_the_one_that_is_asked_for() -> None:
    source, journal = session(exchange(1, parameters=[], dropped={"reason": "in_flight", "size": 99}))
    assert source.take(asked(), by()) is None
    assert "in_flight" in source.miss(asked(), by())
    assert [event["unfit"] for event in journal.of("miss")] == [True]


def test_what_a_full_pool_refused_is_told_at_the_same_attempt_and_only_that() -> None:
    full = Acquire("psycopg", "shop", 0, 1, 2, 2, 0, 3, error="PoolTimeout", message="none in time")
    given = replace(full, error=None, connection=1)
    failed = replace(full, size=1, error="OperationalError")  # it could have made one more
    pools = (given, full, replace(full, pool="other"), failed)
    source = Session(
        Recorded("shop", (), pools=pools),
        Library((), question_of),
        Origins((), (0, 0), lambda: (0, 0)),
        MemoryJournal(),
    )
    assert [source.refusal("psycopg", "shop") for _ in range(4)] == [None, full, None, None]
    assert [source.refusal("psycopg", "other"), source.refusal("psycopg", "third")] == [pools[2], None]
    assert source.refusal("asyncpg", "shop") is None


def test_a_pool_with_a_number_for_its_name_is_known_under_another() -> None:
    names = ("pool-2", "orders")
    refused = [Acquire("psycopg", name, 0, 1, 1, 1, 0, 0, error="PoolTimeout") for name in names]
    recorded = replace(session()[0].recorded, pools=tuple(refused))
    source = Session(recorded, Library((), question_of), unbound(), MemoryJournal())
    assert source.refusal("psycopg", "pool-1") is refused[0]
    assert source.refusal("psycopg", "pool-1") is None
    assert source.refusal("psycopg", "pool-3") is None
    assert source.refusal("psycopg", "customers") is None
    assert source.refusal("psycopg", "orders") is refused[1]
