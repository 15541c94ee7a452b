"""The recorded client of a WebSocket: it says again what it said, each message at the point where the app heard it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers.asgi.heard import Message
from timetracer_otel.drivers.asgi.websocket.codec import messages_of
from timetracer_otel.drivers.asgi.websocket.heard import CLOSED_BY_DEFAULT

PATIENCE_S: Final = 5.0
"""How much longer than recorded the client waits for the messages after which it spoke, or for the end."""
NO_CLOSE_FRAME: Final = 1006
ENDS: Final = ("websocket.close", "websocket.http.response.body")


@dataclass(frozen=True, slots=True)
class Line:
    """What the client says next, once the app has said so much."""

    after: int
    """Messages of the app."""
    pause_s: float
    """Since whatever was said before it."""
    message: Message
    is_departure: bool = False


def lines_of(result: Payload) -> Iterator[Line]:
    """What the app heard, in order."""
    said, before_ns = 0, 0
    for at_ns, side, data in messages_of(result):
        if side == "app":
            said += 1
        else:
            kind = "text" if isinstance(data, str) else "bytes"
            yield Line(said, (at_ns - before_ns) / 1e9, {"type": "websocket.receive", kind: data})
        before_ns = at_ns
    departure = cast("dict[str, Any] | None", result.get("departure"))
    if departure is not None:
        said = _said_before(departure["after"], result)
        pause_s = max(0, cast(int, result.get("disconnected_ns", 0)) - before_ns) / 1e9
        left = {"type": "websocket.disconnect", "code": departure["code"], "reason": departure["reason"]}
        yield Line(said, pause_s, left, is_departure=True)


def scope_of(request: Payload) -> Message:
    """What the scope of a WebSocket has beside the fields of any scope."""
    return {"type": "websocket", "subprotocols": list(cast("list[str]", request.get("subprotocols", ())))}


class Client:
    """Gives the app what it heard; leaves where the recorded client left, or after the app has closed."""

    def __init__(self, recorded: Exchange) -> None:
        result = recorded.result
        self._lines = deque(lines_of(result))
        self._refused_at = _own_number(result)
        self._is_cut = not recorded.complete
        self._said = 0
        self._is_connected = self._has_left = False
        self._close: Message | None = None
        self._progress = asyncio.Event()

    async def receive(self) -> Message:
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        while self._lines and self._close is None:
            line = self._lines[0]
            if self._said >= line.after or not await self._goes_on(line.pause_s):
                return self._say(line)
        return await self._after_the_end()

    def _say(self, line: Line) -> Message:
        self._lines.popleft()
        self._has_left = line.is_departure
        return line.message

    async def _after_the_end(self) -> Message:
        """An app that goes on listening hears that the connection is closed; a client of whom no end was recorded does
        not wait for ever."""
        if not self._has_left and not self._is_cut:
            while self._close is None and await self._goes_on(0.0):
                pass
        self._has_left = True
        code = NO_CLOSE_FRAME if self._close is None else self._close.get("code") or CLOSED_BY_DEFAULT
        return {"type": "websocket.disconnect", "code": code, "reason": ""}

    async def _goes_on(self, pause_s: float) -> bool:
        """False if the app says nothing for so long."""
        self._progress.clear()
        try:
            await asyncio.wait_for(self._progress.wait(), pause_s + PATIENCE_S)
        except asyncio.TimeoutError:
            return False
        return True

    async def send(self, message: Message) -> None:
        if self._has_left or (message["type"] == "websocket.send" and self._said == self._refused_at):
            self._has_left = True
            raise OSError("the client has gone, as it had when this was recorded")
        if message["type"] == "websocket.send":
            self._said += 1
        elif message["type"] in ENDS and not message.get("more_body", False):
            self._close = message
        self._progress.set()
        # A server's send lets others run: whoever waits for the client must get his turn.
        await asyncio.sleep(0)


def _own_number(result: Payload) -> int | None:
    """Of the app's messages, the one that was not taken."""
    refused_at = cast("int | None", result.get("refused_at"))
    return None if refused_at is None else _said_before(refused_at, result)


def _said_before(number: int, result: Payload) -> int:
    """Messages of the app among so many of both."""
    return [side for _, side, _ in messages_of(result)[:number]].count("app")
