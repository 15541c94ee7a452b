"""Recorded on a real server, run again without one: each shape of a WebSocket, on Starlette, FastAPI and a bare app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket as Served
from starlette.websockets import WebSocketDisconnect

from tests.drivers.asgi.parts import MemoryTape, Message, Telemetry, exchange_of, recording, segment_of, serving
from tests.drivers.asgi.test_replay import stored
from tests.drivers.asgi.websocket.parts import WebSocket
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.asgi.replay import ENTRY
from timetracer_otel.redaction import Redactor

World = dict[str, Any]
"""What the endpoints say; a test changes it between recording and replay."""


def endpoints(world: World) -> dict[str, Callable[[Served], Any]]:
    async def echo(socket: Served) -> None:
        await socket.accept(subprotocol=world["subprotocol"], headers=[(b"x-room", b"7")])
        async for message in socket.iter_text():
            if message == "end":
                await socket.close(world["code"], "done")
                return
            await socket.send_json({"said": message, "total": world["total"]})

    async def binary(socket: Served) -> None:
        await socket.accept()
        while True:
            try:
                data = await socket.receive_bytes()
            except WebSocketDisconnect:
                return
            await socket.send_bytes(data[::-1] + world["tail"])

    async def ticks(socket: Served) -> None:
        """Speaks from one task and listens in another, as chats do."""
        await socket.accept()

        async def speak() -> None:
            for number in range(1000):
                await socket.send_text(f"tick {number + world['shift']}")
                await asyncio.sleep(0.002)

        speaking = asyncio.ensure_future(speak())
        stop = await socket.receive_text()
        speaking.cancel()
        await socket.send_text(f"stopped by {stop}")
        await socket.close()

    async def refuses(socket: Served) -> None:
        await socket.close(world["code"])

    async def denies(socket: Served) -> None:
        await socket.send_denial_response(PlainTextResponse(f"not you, {world['total']}", status_code=401))

    async def fails(socket: Served) -> None:
        await socket.accept()
        await socket.receive_text()
        raise KeyError(f"total {world['total']}")

    async def pushes(socket: Served) -> None:
        """Never listens."""
        await socket.accept()
        for number in range(10_000):
            await socket.send_text(f"push {number}")
            await asyncio.sleep(0.001)

    made = (echo, binary, ticks, refuses, denies, fails, pushes)
    return {each.__name__: each for each in made}


WORLD: World = {"subprotocol": "chat", "total": 20, "tail": b"\xff\x00", "shift": 0, "code": 4001}


def starlette_app(world: World) -> Any:
    return Starlette(routes=[WebSocketRoute(f"/{name}", each) for name, each in endpoints(world).items()])


def fastapi_app(world: World) -> Any:
    app = FastAPI()
    for name, each in endpoints(world).items():
        app.add_api_websocket_route(f"/{name}", each)
    return app


FRAMEWORKS = {"starlette": starlette_app, "fastapi": fastapi_app}


def chat(port: int) -> Any:
    socket = WebSocket(port, "/echo?room=7", ["chat", "other"])
    for word in ("one", "two"):
        socket.say(word)
        assert socket.hear() == [f'{{"said":"{word}","total":20}}']
    socket.say("end")
    assert socket.rest().close == (4001, "done")


def leaving_chat(port: int) -> Any:
    socket = WebSocket(port, "/echo", ["chat"])
    socket.say("one")
    socket.hear()
    socket.close(1001, "away")


def hasty_chat(port: int) -> Any:
    """All at once: the app hears the second message after it has answered the first one."""
    socket = WebSocket(port, "/echo", ["chat"])
    for word in ("one", "two", "three", "end"):
        socket.say(word)
    assert len(socket.rest().messages) == 3


def binary(port: int) -> Any:
    socket = WebSocket(port, "/binary")
    socket.say(bytes(range(256)))
    socket.hear()
    socket.say(b"x" * 300_000)
    socket.hear()
    socket.close()


def ticks(port: int) -> Any:
    socket = WebSocket(port, "/ticks")
    socket.hear(3)
    socket.say("me")
    socket.rest()


def vanishing(port: int) -> Any:
    socket = WebSocket(port, "/pushes")
    socket.hear(3)
    socket.vanish()


def fails(port: int) -> Any:
    socket = WebSocket(port, "/fails")
    socket.say("go")
    socket.rest()


TALKS: dict[str, Callable[[int], Any]] = {
    "chat": chat,
    "client leaves": leaving_chat,
    "said at once": hasty_chat,
    "binary": binary,
    "both at a time": ticks,
    "refused": lambda port: WebSocket(port, "/refuses").rest(),
    "denied": lambda port: WebSocket(port, "/denies").rest(),
    "exception": fails,
    "client vanishes": vanishing,
    "no such route": lambda port: WebSocket(port, "/nothing").rest(),
}


@cache
def recordings(framework: str) -> dict[str, Exchange]:
    """Of all talks, on one server."""
    return dict(zip(TALKS, record_all(FRAMEWORKS[framework], *TALKS.values()), strict=True))


def record_on(build: Callable[[World], Any], talk: Callable[[int], Any]) -> Exchange:
    return record_all(build, talk)[0]


def record_all(build: Callable[[World], Any], *talks: Callable[[int], Any]) -> list[Exchange]:
    """As a cassette gives them back: redacted, written, read and put together."""
    tape = MemoryTape()
    with (
        recording(tape),
        serving(OpenTelemetryMiddleware(build(WORLD), tracer_provider=Telemetry().provider)) as port,
    ):
        return [record_one(tape, partial(talk, port)) for talk in talks]


def record_one(tape: MemoryTape, talk: Callable[[], Any]) -> Exchange:
    tape.captured.clear()
    talk()
    deadline = time.monotonic() + 60
    while not tape.captured or not tape.captured[0].complete:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    exchanges = [exchange_of(captured, Redactor(b"key")) for captured in tape.captured]
    entry, *pieces = [replace(each, request=stored(each.request), result=stored(each.result)) for each in exchanges]
    return registry.whole(entry, pieces)


def replay_on(build: Callable[[World], Any], exchange: Exchange, **world: Any) -> Exchange:
    tape = MemoryTape()
    with recording(tape):
        app = OpenTelemetryMiddleware(build({**WORLD, **world}), tracer_provider=Telemetry().provider)
        ENTRY.run(app, segment_of(exchange), exchange, (), lambda sent: sent)
    entry, *pieces = [exchange_of(captured) for captured in tape.captured]
    return registry.whole(entry, pieces)


def differences(recorded: Exchange, replayed: Exchange) -> dict[str, tuple[Any, Any]]:
    found = ENTRY.compare(recorded, replayed).differences
    return {each.path: (each.recorded, each.replayed) for each in found}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", TALKS)
def test_a_recorded_conversation_replays_the_same(name: str, framework: str) -> None:
    recorded = recordings(framework)[name]
    replayed = replay_on(FRAMEWORKS[framework], recorded)
    assert differences(recorded, replayed) == {}
    assert ENTRY.outcome(replayed).fields["status"] == ENTRY.outcome(recorded).fields["status"]


@pytest.mark.parametrize(
    ("name", "world", "expected"),
    [
        ("chat", {"total": 21}, {"messages[1].$.total": (20, 21), "messages[3].$.total": (20, 21)}),
        ("chat", {"subprotocol": "other"}, {"subprotocol": ("chat", "other")}),
        ("chat", {"code": 4002}, {"close.code": (4001, 4002)}),
        ("client leaves", {"total": 21}, {"messages[1].$.total": (20, 21)}),
        ("binary", {"tail": b"\xff\x01"}, dict.fromkeys(("messages[1][257]", "messages[3][300001]"), (b"\0", b"\1"))),
        ("refused", {"code": 4002}, {"close.code": (4001, 4002)}),
        ("denied", {"total": 21}, {"body.line[1]": ("not you, 20", "not you, 21")}),
        ("exception", {"total": 21}, {"exception.message": ("'total 20'", "'total 21'")}),
    ],
)  # fmt: skip
def test_r37_what_has_changed_is_exactly_that_difference(name: str, world: World, expected: Any) -> None:
    recorded = recordings("starlette")[name]
    assert differences(recorded, replay_on(starlette_app, recorded, **world)) == expected


def test_what_an_app_says_while_its_client_speaks_is_compared_up_to_that_point() -> None:
    recorded = recordings("starlette")["both at a time"]
    found = differences(recorded, replay_on(starlette_app, recorded, shift=1))
    assert {"messages[0]", "messages[1]", "messages[2]"} <= set(found)
    assert found["messages[0]"] == ("tick 0", "tick 1")


def test_the_outcome_is_what_the_report_prints() -> None:
    fields: Any = ENTRY.outcome(recordings("starlette")["chat"]).fields
    assert (fields["status"], fields["subprotocol"]) == (101, "chat")
    assert fields["messages"] == ['{"said":"one","total":20}', '{"said":"two","total":20}']
    assert fields["close"] == {"code": 4001, "reason": "done"}
    assert ["x-room", "7"] in fields["headers"]


def test_a_bare_app_replays_the_same() -> None:
    async def bare(scope: Message, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket", "no lifespan here"
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "bytes": message["bytes"][::-1]})
        await send({"type": "websocket.close"})

    def talk(port: int) -> None:
        socket = WebSocket(port, "/")
        socket.say(b"abc")
        assert socket.rest().messages == [b"cba"]

    recorded = record_on(lambda world: bare, talk)
    assert differences(recorded, replay_on(lambda world: bare, recorded)) == {}


def test_secrets_of_a_conversation_are_masked_and_it_still_replays_the_same() -> None:
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

    def talk(port: int) -> None:
        socket = WebSocket(port, "/echo", ["chat"])
        socket.say(f'{{"password": "hunter2hunter2", "note": "{secret}"}}')
        assert secret in str(socket.hear()[0])
        socket.say("end")
        socket.rest()

    recorded = record_on(starlette_app, talk)
    assert secret not in repr(recorded)
    assert "hunter2hunter2" not in repr(recorded)
    assert "result.messages[0]" in " ".join(recorded.redacted)
    assert differences(recorded, replay_on(starlette_app, recorded)) == {}
