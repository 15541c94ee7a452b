from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from timetracer_otel.cassette import Exchange, Value, load_bundle
from timetracer_otel.drivers.asgi import shapes
from timetracer_otel.errors import DamagedCassette

GOLDEN = Path(__file__).parent.parent.parent / "golden"


def recorded(name: str) -> list[Exchange]:
    path = GOLDEN / name
    segments = load_bundle(path.read_bytes(), str(path)).segments
    return [each for segment in segments for each in segment.exchanges if each.type == "http.server" and each.request]


HTTP = recorded("asgi-1.cassette.json")[0]
WEBSOCKET = replace(
    HTTP,
    request={**HTTP.request, "type": "websocket", "subprotocols": ["chat"]},
    result={"status": 101, "messages": [[1, "client", "hi"], [2, "app", b"\0"]]},
)


@pytest.mark.parametrize("name", ["asgi-1.cassette.json", "asgi-1-oldest.cassette.json"])
def test_what_was_recorded_has_its_shape(name: str) -> None:
    assert recorded(name)
    for exchange in recorded(name):
        shapes.check(exchange)


def test_a_conversation_has_its_shape() -> None:
    shapes.check(WEBSOCKET)
    shapes.check(replace(WEBSOCKET, result={}))


@pytest.mark.parametrize(
    ("exchange", "side", "name", "value", "problem"),
    [
        (HTTP, "request", "headers", [[True, b"x"]], "request.headers is not a list of pairs of bytes"),
        (HTTP, "request", "headers", [[b"x"]], "request.headers is not a list of pairs of bytes"),
        (HTTP, "request", "headers", {}, "request.headers is not a list of pairs of bytes"),
        (HTTP, "request", "body", [[0, "x"]], "request.body is not a list of [nanoseconds, bytes]"),
        (HTTP, "request", "body_size", "z", "request.body_size is not a whole number"),
        (HTTP, "request", "ended", 1, "request.ended is not true or false"),
        (HTTP, "request", "path", None, "request.path is not text"),
        (HTTP, "request", "client", 5, "request.client is not [host, port]"),
        (HTTP, "request", "extensions", [1], "request.extensions is not a list of text"),
        (HTTP, "result", "status", True, "result.status is not a whole number"),
        (HTTP, "result", "body", 3, "result.body is not a list of [nanoseconds, bytes]"),
        (HTTP, "result", "disconnected_ns", "", "result.disconnected_ns is not a whole number"),
        (WEBSOCKET, "result", "departure", {}, "result.departure is not an object of after, code and reason"),
        (
            WEBSOCKET,
            "result",
            "messages",
            [[1, "nobody", "hi"]],
            "result.messages is not a list of [nanoseconds, side, text or bytes]",
        ),
    ],
)
def test_what_has_not_the_shape_of_a_request_is_damaged(
    exchange: Exchange, side: str, name: str, value: Value, problem: str
) -> None:
    payload = {**(exchange.request if side == "request" else exchange.result), name: value}
    with pytest.raises(DamagedCassette) as caught:
        shapes.check(replace(exchange, **{side: payload}))  # type: ignore[arg-type]  # either of two fields of one type
    assert str(caught.value) == f"exchange {exchange.id}: not a readable cassette: {problem}; fetch or record it again"


@pytest.mark.parametrize("name", [*shapes.NEEDED, *shapes.NEEDED_OF_HTTP])
def test_what_a_request_needs_is_there(name: str) -> None:
    request = {key: value for key, value in HTTP.request.items() if key != name}
    with pytest.raises(DamagedCassette, match=rf"request\.{name} is missing"):
        shapes.check(replace(HTTP, request=request))
