"""The ear of a WebSocket: as that of a request, but what it hears goes to disk piece by piece while it goes on."""

from __future__ import annotations

from typing import Final

from opentelemetry import context

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import Captured, Tape
from timetracer_otel.drivers.asgi import around
from timetracer_otel.drivers.asgi.heard import HeardException, Message, text_of
from timetracer_otel.drivers.asgi.lending import TAP
from timetracer_otel.drivers.asgi.websocket.heard import HeardConversation

RECEIVE: Final = "websocket.receive"
SEND: Final = "websocket.send"


class Conversation:
    """One WebSocket being heard."""

    __slots__ = (
        "_captured",
        "_conversation",
        "_entered",
        "_has_disk",
        "_has_pieces",
        "_is_over",
        "_max_bytes",
        "_span",
        "_tape",
    )

    def __init__(self, to: Tape, captured: Captured, started_ns: int, max_bytes: int) -> None:
        self._tape, self._captured, self._max_bytes = to, captured, max_bytes
        self._conversation = HeardConversation(started_ns, max_bytes)
        self._has_disk, self._has_pieces, self._is_over = True, False, False
        self._span = context.get_current()
        """A message may be sent by anybody's task: pieces belong to the span of this WebSocket."""
        self._entered = around.enter(self)

    @property
    def is_open(self) -> bool:
        return not self._is_over

    @guarded(TAP)
    def received(self, message: Message) -> None:
        if self._is_over:
            return
        if message["type"] == RECEIVE:
            self._conversation.hear("client", message, self._max_bytes)
            self._heard()
        elif message["type"] == "websocket.disconnect":
            self._conversation.left(message)

    @guarded(TAP)
    def sent(self, message: Message) -> None:
        if self._is_over:
            return
        kind, conversation = message["type"], self._conversation
        if kind == SEND:
            conversation.hear("app", message, self._max_bytes)
            self._heard()
        elif kind == "websocket.accept":
            conversation.accept(message)
        elif kind == "websocket.close":
            conversation.end(message)
        elif kind == "websocket.http.response.start":
            conversation.response.start(message)
        elif kind == "websocket.http.response.body":
            conversation.response.body.hear(message.get("body"))
            conversation.response.body.ended = not message.get("more_body", False)

    @guarded(TAP)
    def refused(self) -> None:
        conversation = self._conversation
        if not self._is_over and conversation.refused_at is None and conversation.close is None:
            conversation.response.disconnect()
            conversation.refused_at = conversation.heard - 1

    @guarded(TAP)
    def failed(self, error: BaseException) -> None:
        traceback = error.__traceback__
        self._conversation.response.exception = HeardException(error, traceback and traceback.tb_next, text_of(error))

    @guarded(TAP)
    def ended(self) -> None:
        try:
            self._close(is_last=True)
        finally:
            self._is_over = True
            del self._captured, self._conversation
            around.leave(self._entered)

    def _heard(self) -> None:
        conversation = self._conversation
        piece = conversation.piece
        if self._has_disk and (piece.is_full or piece.is_old(conversation.started_ns)):
            self._put_aside()

    def _put_aside(self) -> None:
        """The messages so far become an exchange of their own, and go to disk with what else there is."""
        captured = self._opened()
        if captured is None:  # nobody takes them: what is compared in a replay stays in memory
            self._has_disk = False
            return
        piece = self._conversation.begin_piece()
        if not self._has_pieces:
            self._has_pieces = True
            self._close()
        captured.press()
        self._tape.close(captured, piece, piece.cost, dropped=piece.dropped)

    def _opened(self) -> Captured | None:
        token = context.attach(self._span)
        try:
            return self._tape.open(TAP, self._conversation.piece.first)
        finally:
            context.detach(token)

    def _close(self, is_last: bool = False) -> None:
        conversation = self._conversation
        size = conversation.piece.cost + conversation.response.body.held
        dropped = conversation.dropped or conversation.response.body.dropped
        self._tape.close(self._captured, conversation, size, complete=is_last, dropped=dropped)
