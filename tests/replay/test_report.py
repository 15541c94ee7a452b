from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.replay.recordings import ROOT, asked, by, cassette, exchange, question_of, segment, session
from tests.replay.test_candidates import calls_of
from timetracer_otel.cassette.model import Exchange, Segment, Signature
from timetracer_otel.replay.journal import Event, MemoryJournal
from timetracer_otel.replay.report import Report, build
from timetracer_otel.replay.text import render

ENTRY = Exchange("p-0", "http.server", Signature("asgi", "GET", "/orders/42"), {}, {"status": 500}, span_id=ROOT)
ORDER = exchange(1)
COMMIT = exchange(2, "COMMIT", [])


def report(recorded: Segment, events: list[Event], ending: str | None = None, has_entry: bool = True) -> Report:
    return build(cassette(recorded), recorded, events, ending, has_entry, question=question_of)


def replayed(*differences: dict[str, Any], taken: tuple[str, ...] = ("p-1", "p-2")) -> list[Event]:
    log = MemoryJournal()
    for each in taken:
        log.write("take", exchange=each, session="shop")
    log.write("outcome", recorded={"status": 500}, replayed={"status": 500})
    ignored = [{"path": "headers.date", "reason": "minted per response"}]
    log.write("comparison", differences=list(differences), ignored=ignored)
    log.write("done")
    return log.events


def missed(*taken: str) -> list[Event]:
    """What a session and a child write when the app asks for order 43."""
    source, log = session(ORDER, COMMIT)
    for each in taken:
        assert each == "p-2"
        source.take(asked("COMMIT", []), by())
    source.miss(asked(parameters=["43"]), by())
    difference = {"path": "status", "recorded": 500, "replayed": 503}
    log.write("outcome", recorded={"status": 500}, replayed={"status": 503})
    log.write("comparison", differences=[difference], ignored=[])
    log.write("done")
    return log.events


WHOLE = segment(ENTRY, ORDER, COMMIT)


def test_all_answered_and_nothing_differs_is_the_same() -> None:
    found = report(WHOLE, replayed())
    assert (found.verdict, found.exit_code) == ("same", 0)
    assert found.to_json() == {
        "report": 1,
        "cassette": "cassettes/7f3a",
        "segment": WHOLE.id,
        "verdict": "same",
        "misses": [],
        "outcome": {"recorded": {"status": 500}, "replayed": {"status": 500}, "differences": []},
        "unused": [],
        "moved": [],
        "ambiguous": [],
        "mappings": [],
        "redacted": [],
        "ignored": [{"path": "headers.date", "reason": "minted per response"}],
        "changed": [],
        "folder": None,
        "uncontrolled": [],
    }


def test_a_miss_deviates_and_what_follows_from_it_says_so() -> None:
    found = report(WHOLE, missed())
    assert (found.verdict, found.exit_code) == ("deviates", 1)
    json = found.to_json()
    assert json["misses"] == [
        {
            "request": {
                "lib": "psycopg",
                "method": "SELECT",
                "url": "shop",
                "text": "SELECT total FROM orders WHERE id = $1",
                "values": ["43"],
            },
            "frame": "shop/orders.py:31 load_order",
            "span": "GET /orders/{id}",
            "nearest": {"exchange": "p-1", "text": "SELECT total FROM orders WHERE id = $1", "values": ["42"]},
            "differences": [{"path": "parameters[0]", "recorded": "42", "asked": "43"}],
            "consequent": False,
            "order_only": False,
            "earlier": None,
        }
    ]
    assert [(each["exchange"], each["consequent"]) for each in json["unused"]] == [("p-1", True), ("p-2", True)]
    assert json["outcome"]["differences"] == [{"path": "status", "recorded": 500, "replayed": 503, "consequent": True}]


def test_a_miss_stands_for_the_unused_request_of_its_statement_where_an_equal_one_has_answered() -> None:
    """Recorded 41 and 42, asked 42 twice: 41 is what the second call was."""
    first, second = exchange(1, parameters=["41"]), exchange(2)
    source, log = session(first, second)
    assert source.take(asked(), by()) == second
    assert source.take(asked(), by()) is None
    source.miss(asked(), by())
    found = report(segment(ENTRY, first, second), log.events, has_entry=False)
    assert [(each["exchange"], each["consequent"]) for each in found.unused] == [("p-1", True)]


def test_a_difference_of_the_outcome_deviates_alone() -> None:
    found = report(WHOLE, replayed({"path": "status", "recorded": 500, "replayed": 200}))
    assert found.verdict == "deviates"
    assert not found.differences[0]["consequent"]


def test_a_request_that_was_not_made_deviates_alone() -> None:
    found = report(WHOLE, replayed(taken=("p-1",)))
    assert found.verdict == "deviates"
    assert [(each["exchange"], each["consequent"]) for each in found.unused] == [("p-2", False)]


def test_what_was_masked_in_the_request_is_named_where_the_replay_went_another_way() -> None:
    masked = {"event": "masked", "text": "secrets of the request are masked: authorization"}
    refused = replayed({"path": "status", "recorded": 200, "replayed": 401})
    assert report(WHOLE, [masked, *refused]).uncontrolled == ("secrets of the request are masked: authorization",)
    assert report(WHOLE, [masked, *replayed()]).uncontrolled == ()


def test_ambiguous_alone_does_not_deviate() -> None:
    events = [{"event": "ambiguous", "exchange": "p-1"}, *replayed()]
    found = report(WHOLE, events)
    assert found.verdict == "same"
    assert [each["exchange"] for each in found.ambiguous] == ["p-1"]


def test_a_needed_recording_that_is_not_whole_is_inconclusive_by_name() -> None:
    cut = exchange(1, dropped={"reason": "limit", "size": 99})
    source, log = session(cut)
    source.take(asked(), by())
    source.miss(asked(), by())
    log.write("outcome", recorded={}, replayed={})
    log.write("comparison", differences=[{"path": "status", "recorded": 1, "replayed": 2}], ignored=[])
    log.write("done")
    found = report(segment(ENTRY, cut), log.events)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    [reason] = found.to_json()["uncontrolled"]
    assert reason == "inconclusive: exchange p-1 was recorded without its payload (99 bytes): limit"


def test_a_cut_recording_that_was_not_needed_decides_nothing() -> None:
    recorded = segment(ENTRY, ORDER, COMMIT, exchange(3, complete=False), complete=False)
    found = report(recorded, replayed(taken=("p-1", "p-2", "p-3")))
    assert found.verdict == "same"


def test_a_miss_before_the_gap_is_proven() -> None:
    cut = exchange(2, "SELECT 1", [], complete=False)
    source, log = session(ORDER, cut)
    source.miss(asked(parameters=["43"]), by())
    source.take(asked("SELECT 1", []), by())
    source.miss(asked("SELECT 1", []), by())
    assert report(segment(ENTRY, ORDER, cut), log.events).verdict == "deviates"


@pytest.mark.parametrize(
    "recorded",
    [
        segment(ENTRY, ORDER, COMMIT, has_root=False),
        segment(ENTRY, ORDER, COMMIT, dropped={"encode": 1}),
        segment(ENTRY, ORDER, COMMIT, complete=False),
    ],
)
def test_a_miss_in_a_recording_with_gaps_is_inconclusive(recorded: Segment) -> None:
    assert report(recorded, missed()).verdict == "inconclusive"


def test_a_recording_without_its_end_is_inconclusive_even_if_nothing_differs() -> None:
    assert report(segment(ENTRY, ORDER, COMMIT, has_root=False), replayed()).verdict == "inconclusive"


def test_an_early_end_is_inconclusive_unless_something_was_found() -> None:
    silent = [event for event in replayed() if event["event"] == "take"]
    found = report(WHOLE, silent, ending="timed out after 60 s")
    assert found.verdict == "inconclusive"
    assert "inconclusive: timed out after 60 s" in render(found)
    assert report(WHOLE, missed(), ending="timed out after 60 s").verdict == "deviates"


def test_exchanges_of_a_library_without_a_driver_are_inconclusive_by_name() -> None:
    other = Exchange("p-9", "db.command", Signature("redis9", "GET", "k"), {}, {})
    found = report(segment(ENTRY, ORDER, COMMIT, other), replayed())
    assert found.verdict == "inconclusive"
    assert "1 recorded exchanges of redis9" in found.reasons[0]


def refused(in_entry: bool) -> Event:
    return {
        "event": "refused",
        "what": "connect",
        "target": "203.0.113.9:443",
        "frame": "shop/web.py:8 ask",
        "library": "httpx",
        "span": "GET",
        "in_entry": in_entry,
    }


def test_r51_a_refused_call_of_the_entry_is_a_miss_that_names_library_and_target() -> None:
    found = report(WHOLE, [refused(True), refused(True), *replayed()])
    assert found.verdict == "deviates"
    [miss] = found.misses
    assert (miss.request["lib"], miss.request["url"]) == ("httpx", "203.0.113.9:443")


def test_a_refused_call_outside_the_entry_is_named_and_decides_nothing() -> None:
    found = report(WHOLE, [refused(False), *replayed()])
    assert found.verdict == "same"
    assert found.uncontrolled == ("refused connect 203.0.113.9:443, outside the replayed trace",)


# ---- text ------------------------------------------------------------------------------------------------------------


def test_the_text_of_a_same_replay() -> None:
    assert render(report(WHOLE, replayed())) == (
        "not compared\n  headers.date: minted per response\n\nsame  7f3a0000/52fd0000  GET /orders/{id}\n"
    )


def test_the_text_of_a_miss() -> None:
    events = [{"event": "uncontrolled", "text": "native sockets"}, *missed()]
    assert render(report(WHOLE, events)) == (
        "uncontrolled: native sockets\n"
        "\n"
        "no recorded answer for  SELECT total FROM orders WHERE id = $1   ('43',)\n"
        "  asked by  shop/orders.py:31 load_order      span GET /orders/{id}\n"
        "  nearest   exchange p-1, not used yet; parameters[0]: recorded '42', asked '43'\n"
        "  to do     replay the recorded request, or record this one\n"
        "\n"
        "outcome differs (follows from the miss)\n"
        "  status: recorded 500, replayed 503\n"
        "\n"
        "recorded but not made\n"
        "  SELECT total FROM orders WHERE id = $1   ('42',)   exchange p-1 (follows from the miss)\n"
        "  COMMIT   exchange p-2 (follows from the miss)\n"
        "\n"
        "deviates  7f3a0000/52fd0000  GET /orders/{id}: 1 miss, 1 difference of the outcome, "
        "2 recorded requests not made\n"
    )


def test_the_text_of_one_call_too_many() -> None:
    source, log = session(ORDER)
    source.take(asked(), by())
    source.take(asked(), by())
    source.miss(asked(), by())
    assert (
        "no recorded answer for  SELECT total FROM orders WHERE id = $1   ('42',)\n"
        "  asked by  shop/orders.py:31 load_order      span GET /orders/{id}\n"
        "  nearest   exchange p-1, already used; calls: recorded 1, asked 2\n"
        "  note      recorded once, all used up: this is call number 2\n"
        "  to do     make the call as often as it was recorded, or record again\n"
    ) in render(report(segment(ENTRY, ORDER), log.events))


def test_what_a_library_tries_again_and_again_stands_there_once() -> None:
    source, log = session(ORDER)
    for parameters in (["43"], *[["43"]] * 60, ["44"]):
        source.miss(asked(parameters=parameters), by())
    source.miss(asked(parameters=["43"]), replace(by(), frame="shop/other.py:1 load"))
    text = render(report(segment(ENTRY, ORDER), log.events))
    assert text.count("no recorded answer for") == 4
    assert text.count("  again     60 times in all, from the same line\n") == text.count("  again ") == 1
    assert "more misses" not in text


def test_the_traceback_of_the_replayed_app_is_shown() -> None:
    log = MemoryJournal()
    traceback = "Traceback (most recent call last):\n  line\nKeyError: 'total'\n"
    log.write("outcome", recorded={}, replayed={}, traceback=traceback)
    text = render(report(segment(ENTRY), log.events))
    assert "raised in replay\n  Traceback (most recent call last):\n    line\n  KeyError: 'total'\n" in text


def test_hostile_values_do_not_reach_the_terminal() -> None:
    source, log = session(ORDER)
    hostile = "\x1b]0;owned\x07\u202egnp.exe\ud800\r\n"
    source.miss(asked(f"SELECT '{hostile}'", [hostile, b"\x1b[2J"]), by())
    log.write("uncontrolled", text=hostile)
    text = render(report(segment(ENTRY, ORDER), log.events))
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert "\\x1b]0;owned\\x07\\u202egnp.exe\\ud800" in text


def test_long_values_are_cut_with_their_length() -> None:
    source, log = session(ORDER)
    source.miss(asked(parameters=["x" * 100_000]), by())
    text = render(report(segment(ENTRY, ORDER), log.events))
    assert len(text) < 2_000
    assert "(100002 characters)" in text


# ---- thousands of misses ---------------------------------------------------------------------------------------------


def one_of_many(number: int) -> Event:
    request = {"lib": "psycopg", "method": "SELECT", "url": "shop", "text": "SELECT 1", "values": [str(number)]}
    return {
        **{"event": "miss", "request": request, "frame": "", "span": "", "nearest": None, "differences": []},
        **{"note": "", "consequent": False, "unfit": False},
    }


def built(count: int) -> int:
    """Calls that it takes to build the report on so many misses, mappings and requests that were not made."""
    exchanges = [exchange(n, "SELECT 1", [str(n)], at_ns=n) for n in range(count)]
    mappings: list[Event] = [
        {"event": "mapping", "kind": "uuid4", "recorded": str(n), "replayed": str(n)} for n in range(count)
    ]
    events = [*map(one_of_many, range(count)), *mappings]
    one = segment(*exchanges)
    return calls_of(lambda: build(cassette(one), one, events, question=question_of))


def test_a_report_on_ten_times_as_many_misses_takes_ten_times_as_long() -> None:
    assert built(2_000) < 12 * built(200)
