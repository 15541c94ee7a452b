"""The ear: an ASGI middleware that hears every message of a request and changes none.

It never calls `receive` or `send` by itself, and hands on the very objects it was given. The exchange is closed before
the last message of the response goes on, since the middleware above ends the server span there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from opentelemetry import trace

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import Captured, Tape, tape
from timetracer_otel.config import Settings
from timetracer_otel.drivers.asgi import around
from timetracer_otel.drivers.asgi.body import Body
from timetracer_otel.drivers.asgi.heard import (
    HeardException,
    HeardRequest,
    HeardResponse,
    Message,
    pairs,
    text_of,
)
from timetracer_otel.drivers.asgi.lending import TAP
from timetracer_otel.drivers.asgi.websocket.tap import Conversation

Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[Any]]

FILE_MESSAGES: Final = {"http.response.pathsend": "pathsend", "http.response.zerocopysend": "zerocopysend"}
"""Messages by which the server sends a file itself: the bytes never pass here."""

payload_max_bytes = Settings().payload_max_bytes
"""Per direction of a request; `record.install` sets it."""


class CaptureMiddleware:
    """The app, heard. `outer` is the tracing middleware around it."""

    def __init__(self, app: App, outer: object) -> None:
        self.app, self._outer = app, outer

    def __getattr__(self, name: str) -> Any:
        # `traced.app.state`: whoever reaches through the tracing middleware for his application still finds it.
        return getattr(self.__dict__.get("app"), name)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> Any:
        hearing = _begin(scope, self.app, self._outer)
        if hearing is None:
            return await self.app(scope, receive, send)

        async def heard_receive() -> Message:
            message = await receive()
            hearing.received(message)
            return message

        async def heard_send(message: Message) -> None:
            hearing.sent(message)
            try:
                return await send(message)
            except OSError:
                hearing.refused()
                raise

        try:
            return await self.app(scope, heard_receive, heard_send)
        except BaseException as error:
            hearing.failed(error)
            raise
        finally:
            hearing.ended()


@guarded(TAP)
def _begin(scope: Message, app: App, outer: object) -> Hearing | Conversation | None:
    """The hearing of this request; None if it is not to be heard."""
    if (to := tape()) is None:
        return None
    if scope["type"] == "lifespan":
        to.prepare()
    if scope["type"] not in ("http", "websocket"):
        return None
    to.entry_began()
    if not to.listens():
        return None
    if around.is_open():
        return None
    if not trace.get_current_span().get_span_context().is_valid:
        return None  # a URL that the app keeps out of its traces
    request = HeardRequest(scope, (scope.get("app"), outer, app), payload_max_bytes)
    captured = to.open(TAP, request, is_entry=True)
    if captured is None:
        return None
    if scope["type"] == "websocket":
        return Conversation(to, captured, request.started_ns, payload_max_bytes)
    return Hearing(to, captured, request)


class Hearing:
    """One request being heard."""

    __slots__ = ("_captured", "_has_news", "_is_closed", "_is_over", "_request", "_response", "_tape", "_token")

    def __init__(self, to: Tape, captured: Captured, request: HeardRequest) -> None:
        self._tape, self._captured, self._request = to, captured, request
        self._response = HeardResponse(request.started_ns, payload_max_bytes)
        self._is_closed = self._has_news = self._is_over = False
        self._token = around.enter(self)

    @property
    def is_open(self) -> bool:
        """False once the response is complete: a pipelined request begins in the context of the one before it."""
        return not self._is_closed

    @guarded(TAP)
    def received(self, message: Message) -> None:
        if self._is_over:
            return
        if message["type"] == "http.request":
            self._hear(self._request.body, message)
            self._has_news = True
        elif message["type"] == "http.disconnect":
            # After the whole response this is what every server answers, whatever the client does: no news.
            self._response.disconnect()

    @guarded(TAP)
    def sent(self, message: Message) -> None:
        if self._is_over:
            return
        kind, response = message["type"], self._response
        if kind == "http.response.body":
            self._hear(response.body, message)
            if response.body.ended and not response.expects_trailers:
                self._close()
        elif kind == "http.response.start":
            response.start(message)
        elif kind in FILE_MESSAGES:
            response.body.drop(FILE_MESSAGES[kind])
            response.body.ended = not message.get("more_body", False)
            if response.body.ended:
                self._close()
        elif kind == "http.response.trailers":
            response.trailers += pairs(message.get("headers"))
            if not message.get("more_trailers", False):
                self._close()

    def _hear(self, body: Body, message: Message) -> None:
        body.hear(message.get("body"))
        if body.is_large:
            body.go_to_disk(self._tape, self._captured)
        if not message.get("more_body", False):
            body.end()

    @guarded(TAP)
    def refused(self) -> None:
        if self._is_over:
            return
        self._response.disconnect()
        self._response.send_failed = self._has_news = True

    @guarded(TAP)
    def failed(self, error: BaseException) -> None:
        traceback = error.__traceback__
        self._has_news = True
        self._response.exception = HeardException(error, traceback and traceback.tb_next, text_of(error))

    @guarded(TAP)
    def ended(self) -> None:
        """The app is done. What came after the response makes a second revision of the exchange."""
        try:
            if not self._is_closed or self._has_news:
                self._close(is_last=True)
        finally:
            self._is_over = True
            # Tasks that outlive the request keep its context, and us with it: not its bodies too.
            del self._request, self._response, self._captured
            around.leave(self._token)

    def _close(self, is_last: bool = False) -> None:
        asked, answered = self._request.body, self._response.body
        for body in (asked, answered):
            if is_last:
                body.stop()
            else:
                body.settle()
        # A large body that still comes can be looked at when it is whole: that makes another revision.
        is_complete = not (asked.is_open or answered.is_open)
        self._is_closed, self._has_news = True, not is_complete
        dropped, size = asked.dropped or answered.dropped, asked.held + answered.held
        if dropped is not None:
            size = sum(body.size for body in (asked, answered) if body.dropped is not None)
        self._tape.close(self._captured, self._response, size, complete=is_complete, dropped=dropped)
