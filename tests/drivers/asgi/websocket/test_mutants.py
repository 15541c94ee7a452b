"""Never lies: whatever one thing of a recorded conversation is another, the replay of the unchanged app shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.drivers.asgi.websocket.test_replay import differences, recordings, replay_on, starlette_app
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.asgi.websocket.codec import messages_of

TALKS = ("chat", "client leaves", "said at once", "binary", "refused", "denied", "exception")
PLACES = 5
"""Of a message."""


def changed(data: str | bytes) -> Iterator[str | bytes]:
    """One letter or one bit of it, at several places; and the other kind of message."""
    for at in range(0, len(data), max(1, len(data) // PLACES)):
        if isinstance(data, bytes):
            yield data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        elif data[at].isalnum():
            yield data[:at] + ("7" if data[at] != "7" else "8") + data[at + 1 :]
    yield data.encode() if isinstance(data, str) else data.decode("latin-1")


def of_result(recorded: Exchange) -> Iterator[tuple[str, Exchange]]:
    """What the app said and did otherwise, with the place at which it must be found."""
    said: list[Any] = list(messages_of(recorded.result))
    for number, (at, side, data) in enumerate(said):
        if side == "app":
            for other in changed(data):
                yield (
                    f"messages[{number}]",
                    with_messages(recorded, [*said[:number], (at, side, other), *said[number + 1 :]]),
                )
            if number + 1 < len(said) or not recorded.result.get("departure"):  # else a client has not waited for it
                yield "messages[", with_messages(recorded, [*said[:number], *said[number + 1 :]], -1)
            yield "messages[", with_messages(recorded, [*said[:number], (at, side, "more"), *said[number:]], 1)
    close: Any = recorded.result.get("close")
    if close is not None:
        yield "close.code", with_result(recorded, close={**close, "code": close["code"] + 1})
        yield "close.reason", with_result(recorded, close={**close, "reason": f"{close['reason']}!"})
        yield "close", with_result(recorded, close=None)
    if "subprotocol" in recorded.result:
        yield "subprotocol", with_result(recorded, subprotocol="another")


def with_messages(recorded: Exchange, said: list[Any], more: int = 0) -> Exchange:
    """`more` messages came before the client left, if it did."""
    departure: Any = recorded.result.get("departure")
    moved = {"departure": {**departure, "after": departure["after"] + more}} if departure else {}
    return with_result(recorded, messages=said, **moved)


def with_result(recorded: Exchange, **fields: Any) -> Exchange:
    return replace(recorded, result={**recorded.result, **fields})


@pytest.mark.parametrize("name", TALKS)
def test_each_mutant_of_what_an_app_said_is_found_at_its_place_and_nowhere_else(name: str) -> None:
    recorded = recordings("starlette")[name]
    replayed = replay_on(starlette_app, recorded)
    assert differences(recorded, replayed) == {}
    mutants = list(of_result(recorded))
    assert mutants or name == "denied"
    found = [(place, list(differences(mutant, replayed))) for place, mutant in mutants]
    assert [(at, paths) for at, paths in found if not paths or not all(each.startswith(at) for each in paths)] == []


@pytest.mark.parametrize("name", ["chat", "binary"])
def test_each_mutant_of_what_a_client_said_is_a_difference_of_the_answer(name: str) -> None:
    recorded = recordings("starlette")[name]
    said: list[Any] = list(messages_of(recorded.result))
    for number, (at, side, data) in enumerate(said):
        if side == "client" and data != "end":
            other = next(changed(data))
            mutant = with_messages(recorded, [*said[:number], (at, side, other), *said[number + 1 :]])
            found = differences(mutant, replay_on(starlette_app, mutant))
            assert len(found) == 1, (number, found)
            assert next(iter(found)).startswith(f"messages[{number + 1}]")
