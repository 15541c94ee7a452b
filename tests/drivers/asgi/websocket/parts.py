"""What the tests of WebSockets share: a client that says what it is told to, on a socket or by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from tests.drivers.asgi.parts import Message, http_scope

Said: TypeAlias = "str | bytes"


@dataclass
class Answer:
    """What a client was told."""

    status: int = 0
    subprotocol: str | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    messages: list[Said] = field(default_factory=list)
    close: tuple[int, str] | None = None
    """None where the connection ended without a close frame."""


class WebSocket:
    """The client's side of one WebSocket on a socket; blocking."""

    def __init__(self, port: int, path: str, subprotocols: Sequence[str] = (), headers: Sequence[Any] = ()) -> None:
        self.answer = Answer()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._parts: list[Any] = []
        request = Request(host="shop.test", target=path, subprotocols=list(subprotocols), extra_headers=list(headers))
        self._socket.sendall(self._connection.send(request))
        while not self.answer.status:
            self._read()

    def say(self, data: Said) -> None:
        event: Event = TextMessage(data) if isinstance(data, str) else BytesMessage(data)
        self._socket.sendall(self._connection.send(event))

    def hear(self, count: int = 1) -> list[Said]:
        """The next messages."""
        while len(self.answer.messages) < count:
            assert self._read(), "the connection has ended"
        heard, self.answer.messages = self.answer.messages[:count], self.answer.messages[count:]
        return heard

    def close(self, code: int = 1000, reason: str = "") -> Answer:
        self._socket.sendall(self._connection.send(CloseConnection(code, reason)))
        return self.rest()

    def rest(self) -> Answer:
        """Everything until the server ends the connection."""
        with contextlib.suppress(ConnectionError):
            while self._read():
                pass
        self._socket.close()
        return self.answer

    def vanish(self) -> None:
        """As a network does: without a word."""
        self._socket.close()

    def _read(self) -> bool:
        data = self._socket.recv(64 * 1024)
        self._connection.receive_data(data or None)
        for event in self._connection.events():
            self._take(event)
        return bool(data)

    def _take(self, event: Event) -> None:
        answer = self.answer
        if isinstance(event, AcceptConnection):
            answer.status, answer.subprotocol = 101, event.subprotocol
            answer.headers = list(event.extra_headers)
        elif isinstance(event, RejectConnection):
            answer.status, answer.headers = event.status_code, list(event.headers)
        elif isinstance(event, RejectData):
            answer.body += event.data
        elif isinstance(event, (TextMessage, BytesMessage)):
            self._parts.append(event.data)
            if event.message_finished:
                whole = "" if isinstance(event, TextMessage) else b""
                answer.messages.append(whole.join(self._parts))
                self._parts.clear()
        elif isinstance(event, CloseConnection) and answer.close is None:
            answer.close = event.code, event.reason or ""
            with contextlib.suppress(Exception):  # it was ours, and is answered
                self._socket.sendall(self._connection.send(event.response()))
        elif isinstance(event, Ping):
            self._socket.sendall(self._connection.send(event.response()))


# ---- by hand ---------------------------------------------------------------------------------------------------------


def ws_scope(path: str = "/ws", **fields: Any) -> Message:
    scope = {**http_scope(path), "type": "websocket", "scheme": "ws", "subprotocols": [], **fields}
    del scope["method"]
    return scope


def text(data: str) -> Message:
    return {"type": "websocket.receive", "text": data}


CONNECT: Message = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept"}
GONE: Message = {"type": "websocket.disconnect", "code": 1001, "reason": "away"}


def said(data: Said) -> Message:
    return {"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data}


class Hand:
    """Gives the app `messages`, then nothing more; keeps what it is sent."""

    def __init__(self, messages: Iterator[Message] | Sequence[Message]) -> None:
        self._messages = iter(messages)
        self.sent: list[Message] = []
        self.given: list[Message] = []

    async def receive(self) -> Message:
        for message in self._messages:
            self.given.append(message)
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Any) -> None:
        self.sent.append(message)
