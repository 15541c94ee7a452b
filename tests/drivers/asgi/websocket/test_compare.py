from __future__ import annotations

from typing import Any

import pytest

from tests.drivers.asgi.websocket.test_client import exchange
from timetracer_otel.drivers.asgi.replay import ENTRY
from timetracer_otel.drivers.asgi.requests import compare_requests

TALK = (("client", "a"), ("app", '{"total": 20}'), ("app", "two\nlines"), ("client", "b"), ("app", "bye"))


def compared(*now: tuple[str, Any], was: Any = TALK, **fields: Any) -> dict[str, tuple[Any, Any]]:
    recorded = exchange(*was, **fields.pop("recorded", {}))
    found = ENTRY.compare(recorded, exchange(*now, **fields)).differences
    return {each.path: (each.recorded, each.replayed) for each in found}


def replaced(index: int, data: Any) -> list[tuple[str, Any]]:
    return [*TALK[:index], ("app", data), *TALK[index + 1 :]]


@pytest.mark.parametrize(
    ("index", "data", "expected"),
    [
        (1, '{"total": 21}', {"messages[1].$.total": (20, 21)}),
        (2, "two\nwords", {"messages[2].line[2]": ("lines", "words")}),
        (4, "farewell", {"messages[4]": ("bye", "farewell")}),
        (4, b"bye", {"messages[4].type": ("text", "bytes")}),
    ],
)
def test_r37_a_changed_message_is_exactly_that_difference(index: int, data: Any, expected: Any) -> None:
    assert compared(*replaced(index, data)) == expected


def test_one_message_less_or_more_does_not_move_the_others() -> None:
    assert compared(*TALK[:2], *TALK[3:]) == {"messages[2]": ("two\nlines", None)}
    assert compared(*TALK[:2], ("app", "new"), *TALK[2:]) == {"messages[2]": (None, "new")}


def test_bytes_differ_at_a_place() -> None:
    assert compared(("app", b"abd"), was=[("app", b"abc")]) == {"messages[0][2]": (b"c", b"d")}


def test_the_same_numbers_in_another_layout_of_json_are_the_same() -> None:
    assert compared(*replaced(1, '{ "total":20 }')) == {}


def test_another_end_is_a_difference() -> None:
    ended = {"code": 4001, "reason": "done"}
    assert compared(*TALK, close={**ended, "code": 1000}, recorded={"close": ended}) == {"close.code": (4001, 1000)}
    assert compared(*TALK, close={**ended, "reason": ""}, recorded={"close": ended}) == {"close.reason": ("done", "")}
    assert compared(*TALK, recorded={"close": ended}) == {"close": (ended, None)}


def test_an_app_that_listens_no_longer_is_a_difference() -> None:
    assert compared(*[each for each in TALK if each != ("client", "b")]) == {"messages.received": (2, 1)}


def test_what_was_said_to_a_client_that_had_gone_is_not_compared_and_that_is_said() -> None:
    departed: dict[str, Any] = {"departure": {"after": 2, "code": 1001, "reason": ""}, "disconnected_ns": 1}
    recorded, replayed = exchange(*TALK[:3], **departed), exchange(*TALK[:2], ("app", "else"), **departed)
    found = ENTRY.compare(recorded, replayed)
    assert found.differences == ()
    assert [each.path for each in found.ignored] == ["messages"]
    changed = exchange(TALK[0], ("app", "{}"), **departed)
    assert [each.path for each in ENTRY.compare(recorded, changed).differences] == ["messages[1].$.total"]


def test_what_two_clients_said_is_compared_by_diff() -> None:
    found = compare_requests(exchange(*TALK), exchange(("client", "c"), *TALK[1:])).differences
    assert [(each.path, each.recorded, each.replayed) for each in found] == [("messages[0]", "a", "c")]
