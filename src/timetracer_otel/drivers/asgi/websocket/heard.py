"""What was heard of one WebSocket: its messages in pieces, few of them in memory at a time."""

from __future__ import annotations

import time
from typing import Final, Literal, TypeAlias

from timetracer_otel.config import KIB
from timetracer_otel.drivers.asgi import lending
from timetracer_otel.drivers.asgi.heard import HeardResponse, Message, pairs

Side: TypeAlias = Literal["client", "app"]
Data: TypeAlias = "str | bytes"

SWITCHING_PROTOCOLS: Final = 101
FORBIDDEN: Final = 403
"""What servers answer where the app closes a WebSocket that it has not accepted."""
CLOSED_BY_DEFAULT: Final = 1000
MESSAGE_OVERHEAD: Final = 128
"""Bytes that a message costs beyond its content."""
PIECE_MESSAGES: Final = 256
PIECE_BYTES: Final = 256 * KIB
PIECE_MIN_S: Final = 5.0
PIECE_SHARE: Final = 0.1
"""A piece may last for this share of the time before it: a session of a day has a hundred of them, not thousands."""


class Piece:
    """Messages that came one after another. Once it is written nobody refers to it any more, and it costs nothing."""

    __slots__ = ("_budget", "_lent", "cost", "dropped", "first", "messages", "started_ns")

    def __init__(self, first: int, started_ns: int) -> None:
        self._budget, self._lent = lending.budget, 0
        self.first, self.started_ns = first, started_ns
        """How many messages of the conversation came before it, and when it began."""
        self.messages: list[tuple[int, Side, Data]] = []
        self.cost = 0
        self.dropped: str | None = None
        """Why its messages are not here: `limit`, `in_flight`."""

    @property
    def is_full(self) -> bool:
        return len(self.messages) >= PIECE_MESSAGES or self.cost >= PIECE_BYTES

    def is_old(self, began_ns: int) -> bool:
        """Of a conversation that began then."""
        most_ns = max(PIECE_MIN_S * 1e9, (self.started_ns - began_ns) * PIECE_SHARE)
        return time.monotonic_ns() - self.started_ns >= most_ns

    def add(self, at_ns: int, side: Side, data: Data, max_bytes: int) -> None:
        cost = len(data) + MESSAGE_OVERHEAD
        if self.dropped is not None:
            return
        if self.cost + cost > max_bytes:
            self.drop("limit")
        elif not self._budget.take(cost):
            self.drop("in_flight")
        else:
            self._lent += cost
            self.cost += cost
            self.messages.append((at_ns, side, data))

    def drop(self, reason: str) -> None:
        # In this order: a codec in another thread takes the messages first and looks for a reason after that.
        self.dropped = reason
        self.messages = []
        self.release()

    def release(self) -> None:
        lent, self._lent = self._lent, 0
        if lent:
            self._budget.give(lent)

    __del__ = release


class HeardConversation:
    """`response` is the handshake, or the answer in its place; the newest messages are in `piece`."""

    __slots__ = (
        "close",
        "departure",
        "dropped",
        "heard",
        "piece",
        "refused_at",
        "response",
        "started_ns",
        "subprotocol",
    )

    def __init__(self, started_ns: int, max_bytes: int) -> None:
        self.started_ns = started_ns
        self.response = HeardResponse(started_ns, max_bytes)
        self.piece = Piece(0, started_ns)
        self.heard = 0
        self.subprotocol: str | None = None
        self.close: tuple[int, str] | None = None
        """Code and reason with which the app ended it."""
        self.departure: tuple[int, int, str] | None = None
        """After how many messages the app was told that the client had gone, with what code and reason."""
        self.refused_at: int | None = None
        """The message that the server did not take, since the client had gone."""
        self.dropped: str | None = None
        """Why messages are missing: those of a piece were too large, or too many."""

    def begin_piece(self) -> Piece:
        """The messages so far, which are no longer here."""
        taken = self.piece
        self.piece = Piece(self.heard, time.monotonic_ns())
        return taken

    def hear(self, side: Side, message: Message, max_bytes: int) -> None:
        data = message.get("text")
        if data is None:
            given = message.get("bytes")
            data = given if type(given) is bytes else bytes(memoryview(given or b""))
        self.heard += 1
        self.piece.add(time.monotonic_ns() - self.started_ns, side, data, max_bytes)
        self.dropped = self.dropped or self.piece.dropped

    def accept(self, message: Message) -> None:
        self.response.status = SWITCHING_PROTOCOLS
        self.response.headers = pairs(message.get("headers"))
        self.subprotocol = message.get("subprotocol")

    def end(self, message: Message) -> None:
        """The app closes it, or refuses to open it."""
        if self.response.status is None:
            self.response.status = FORBIDDEN
        code = message.get("code")
        self.close = CLOSED_BY_DEFAULT if code is None else code, message.get("reason") or ""

    def left(self, message: Message) -> None:
        """The client has gone. After the app's own end this is no news."""
        if self.departure is None and self.close is None:
            self.response.disconnect()
            self.departure = self.heard, message.get("code") or 0, message.get("reason") or ""
