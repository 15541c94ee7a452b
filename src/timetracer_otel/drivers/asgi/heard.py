"""What was heard of one request: references to the app's own bytes and values, bounded, decoded by nobody yet."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping
from traceback import TracebackException
from types import TracebackType
from typing import Any, Final, TypeAlias

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.asgi.body import Body
from timetracer_otel.drivers.asgi.lending import TAP

Message: TypeAlias = MutableMapping[str, Any]
"""ASGI messages and scopes are open by specification: servers add keys of their own (Any)."""

FRAMES_MAX: Final = 60
CANCELLED: Final = ("CancelledError", "Cancelled", "GeneratorExit")
"""Of asyncio, of trio, and of a request that its server forgot: the garbage collector ends it."""


class HeardRequest:
    """The request line as it was before the app: routers change the scope in place."""

    __slots__ = ("apps", "body", "headers", "scope", "started_ns")

    def __init__(self, scope: Message, apps: tuple[object, ...], max_bytes: int) -> None:
        self.started_ns = time.monotonic_ns()
        self.scope: Mapping[str, Any] = dict(scope)
        self.headers = pairs(scope.get("headers"))
        self.apps = apps
        """Objects by one of which the application may be found in a module."""
        self.body = Body(self.started_ns, max_bytes, self.headers)


class HeardResponse:
    __slots__ = (
        "body",
        "disconnected_ns",
        "exception",
        "expects_trailers",
        "headers",
        "left_before_end",
        "left_before_start",
        "send_failed",
        "started_ns",
        "status",
        "trailers",
    )

    def __init__(self, started_ns: int, max_bytes: int) -> None:
        self.started_ns = started_ns
        self.status: int | None = None
        self.headers: list[Any] = []
        self.expects_trailers = False
        self.trailers: list[Any] = []
        self.body = Body(started_ns, max_bytes)
        self.disconnected_ns: int | None = None
        self.left_before_end = self.left_before_start = False
        """The app went on to end its answer, or began it, for a client that had gone."""
        self.send_failed = False
        """The server refused a message, since the client had gone (ASGI 2.4)."""
        self.exception: HeardException | None = None

    def start(self, message: Message) -> None:
        self.status = message["status"]
        self.headers = self.body.headers = pairs(message.get("headers"))
        self.expects_trailers = bool(message.get("trailers", False))

    def disconnect(self) -> None:
        """The client went away; only the first time counts."""
        if self.disconnected_ns is None:
            self.body.settle()
            self.left_before_start = self.status is None
            self.left_before_end = not self.body.ended
            self.disconnected_ns = time.monotonic_ns() - self.started_ns


class HeardException:
    """An exception on its way out of the app, without its frames: those hold the app's variables."""

    __slots__ = ("cancelled", "message", "traceback", "type")

    def __init__(self, error: BaseException, traceback: TracebackType | None, message: str | None) -> None:
        kind = type(error)
        self.type = f"{kind.__module__}.{kind.__qualname__}"
        self.message = message
        self.cancelled = kind.__name__ in CANCELLED
        # Source lines are looked up by the codec: that reads files.
        self.traceback = TracebackException(kind, error, traceback, limit=-FRAMES_MAX, lookup_lines=False)


@guarded(TAP)
def text_of(error: BaseException) -> str:
    """None if the app's own `__str__` fails."""
    return str(error)


def pairs(headers: object) -> list[Any]:
    """The header list as it is now; empty if it is an iterator, which only the server may use up."""
    return list(headers) if isinstance(headers, (list, tuple)) else []
