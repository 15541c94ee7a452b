"""The recorded client speaks when the app has said as much as it had; and nothing waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.drivers.asgi.parts import Message
from tests.drivers.asgi.websocket.parts import ACCEPT, said
from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.asgi.delivery import deliver, scope_of
from timetracer_otel.drivers.asgi.websocket import client


def request(**fields: Any) -> dict[str, Any]:
    return {
        "type": "websocket", "method": None, "scheme": "ws", "http_version": "1.1", "spec_version": "2.4",
        "path": "/ws", "raw_path": b"/ws", "query_string": b"", "root_path": "", "headers": [], "client": None,
        "server": None, "subprotocols": ["chat"], "extensions": ["websocket.http.response"], "app": None, **fields,
    }  # fmt: skip


def exchange(*said: tuple[str, str], complete: bool = True, **result: Any) -> Exchange:
    messages = [[number, side, data] for number, (side, data) in enumerate(said)]
    answered = {"status": 101, "headers": [], "messages": messages, **result}
    signature = Signature("asgi", "WEBSOCKET", "/ws")
    return Exchange("p-1", "http.server", signature, request(), answered, complete=complete)


def run(app: Any, recorded: Exchange) -> None:
    asyncio.run(asyncio.wait_for(deliver(app, recorded, (), {}), 10))


def told(recorded: Exchange, *before_each: int) -> list[Any]:
    """What the app hears that says so many messages before it listens again."""
    heard: list[Any] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        heard.append((await receive())["type"])
        await send(ACCEPT)
        for count in before_each:
            for number in range(count):
                await send(said(str(number)))
            message = await receive()
            heard.append(message.get("text", message.get("code")))

    run(app, recorded)
    return heard


def test_the_scope_is_that_of_a_websocket() -> None:
    scope = scope_of(request(), (), {"pool": 1})
    assert (scope["type"], scope["subprotocols"], scope["state"]) == ("websocket", ["chat"], {"pool": 1})
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope
    assert "extensions" not in scope_of(request(extensions=["tls"]), (), {})


def test_the_client_speaks_when_the_app_has_said_as_much_as_it_had() -> None:
    recorded = exchange(("client", "a"), ("app", "1"), ("app", "2"), ("client", "b"), ("client", "c"))
    assert told(recorded, 0, 2, 0) == ["websocket.connect", "a", "b", "c"]


def test_an_app_that_says_more_hears_the_same() -> None:
    recorded = exchange(("client", "a"), ("app", "1"), ("client", "b"))
    assert told(recorded, 3, 5) == ["websocket.connect", "a", "b"]


def test_an_app_that_has_become_silent_hears_the_rest_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.05)
    recorded = exchange(("client", "a"), ("app", "1"), ("client", "b"))
    assert told(recorded, 0, 0) == ["websocket.connect", "a", "b"]


def test_the_client_leaves_where_it_left_with_its_code() -> None:
    recorded = exchange(("client", "a"), ("app", "1"), departure={"after": 2, "code": 1001, "reason": "away"})
    assert told(recorded, 0, 1) == ["websocket.connect", "a", 1001]


def test_after_a_client_has_left_sends_fail() -> None:
    failures: list[str] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        assert (await receive())["code"] == 1001
        with pytest.raises(OSError, match="gone"):
            await send(said("a"))
        failures.append((await receive())["type"])

    run(app, exchange(departure={"after": 0, "code": 1001, "reason": ""}))
    assert failures == ["websocket.disconnect"]


def test_the_message_that_was_refused_is_refused_again() -> None:
    sent: list[int] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        for number in range(2):
            await send(said(str(number)))
            sent.append(number)
        with pytest.raises(OSError, match="gone"):
            await send(said("2"))

    run(app, exchange(("app", "0"), ("client", "a"), ("app", "1"), ("app", "2"), refused_at=3))
    assert sent == [0, 1]


def test_an_app_that_listens_after_it_has_closed_hears_its_own_code() -> None:
    heard: list[Any] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.close", "code": 4001})
        heard.append((await receive())["code"])

    run(app, exchange(("client", "never heard"), close={"code": 4001, "reason": ""}))
    assert heard == [4001]


def test_an_app_that_no_longer_closes_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.05)
    assert told(exchange(close={"code": 1000, "reason": ""}), 1) == ["websocket.connect", 1006]


def test_of_a_session_that_was_cut_off_the_client_leaves_after_what_was_recorded() -> None:
    assert told(exchange(("client", "a"), complete=False), 0, 0) == ["websocket.connect", "a", 1006]


def test_a_listener_that_is_cancelled_loses_no_message() -> None:
    heard: list[Any] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        listening = asyncio.ensure_future(receive())
        await asyncio.sleep(0.01)
        listening.cancel()
        await send(said("1"))
        heard.append((await receive())["text"])

    run(app, exchange(("app", "1"), ("client", "a")))
    assert heard == ["a"]
