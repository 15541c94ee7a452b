"""Quart, which has nothing of Starlette's in it: a request and a WebSocket, recorded on a real server and replayed."""

from __future__ import annotations

from typing import Any

from quart import Quart, jsonify, request, websocket

from tests.drivers.asgi.parts import raw_request
from tests.drivers.asgi.test_replay import paths, record_on, replay_on
from tests.drivers.asgi.websocket import test_replay as websockets
from tests.drivers.asgi.websocket.parts import WebSocket
from timetracer_otel.drivers.asgi.replay import ENTRY


def app(world: dict[str, Any]) -> Any:
    quart = Quart(__name__)

    @quart.post("/orders/<number>")
    async def order(number: str) -> Any:
        return jsonify(id=number, total=world["total"], asked=await request.get_data(as_text=True))

    @quart.websocket("/talk")
    async def talk() -> None:
        await websocket.accept(subprotocol="chat")
        for _ in range(2):
            word = await websocket.receive()
            assert isinstance(word, str)
            await websocket.send(f"{word} costs {world['total']}")
        await websocket.close(4001, "done")

    return quart


def talk(port: int) -> None:
    socket = WebSocket(port, "/talk", ["chat"])
    socket.say("tea")
    assert socket.hear() == ["tea costs 20"]
    socket.say("mug")
    assert socket.rest().close == (4001, "done")


def test_a_request_to_quart_replays_the_same_and_a_change_is_exactly_that_difference() -> None:
    recorded = record_on(app, raw_request(b"POST /orders/42", b"please"))
    assert ENTRY.compare(recorded, replay_on(app, recorded)[0]).differences == ()
    assert paths(ENTRY.compare(recorded, replay_on(app, recorded, total=21)[0])) == ["body.$.total"]


def test_a_websocket_of_quart_replays_the_same_and_a_change_is_exactly_that_difference() -> None:
    recorded = websockets.record_on(app, talk)
    assert websockets.differences(recorded, websockets.replay_on(app, recorded)) == {}
    changed = websockets.replay_on(app, recorded, total=21)
    assert websockets.differences(recorded, changed) == {
        "messages[1]": ("tea costs 20", "tea costs 21"),
        "messages[3]": ("mug costs 20", "mug costs 21"),
    }
