"""What was heard of one request: references to the app's own bytes and values, bounded, decoded by nobody yet."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, MutableMapping
from traceback import TracebackException
from types import TracebackType
from typing import Any, Final, TypeAlias

from timetracer_otel.config import Settings

Message: TypeAlias = MutableMapping[str, Any]
"""ASGI messages and scopes are open by specification: servers add keys of their own (Any)."""

CHUNK_OVERHEAD: Final = 128
"""Bytes that a chunk costs beyond its content: a million chunks of one byte are not one megabyte."""
FRAMES_MAX: Final = 60


class Budget:
    """Bytes that all requests in flight may hold together before the recorder counts them."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._held = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """False if `size` more bytes are too many: nothing is taken then."""
        with self._lock:
            if self._held + size > self.max_bytes:
                return False
            self._held += size
        return True

    def give(self, size: int) -> None:
        with self._lock:
            self._held -= size

    def reset(self) -> None:
        """A forked child holds nothing, and no lock."""
        self._held, self._lock = 0, threading.Lock()


budget = Budget(Settings().in_flight_max_bytes)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=budget.reset)


class Body:
    """The chunks of one direction with their times. Beyond `max_bytes` all are let go: half a body is never kept."""

    __slots__ = ("_lent", "_max_bytes", "chunks", "dropped", "ended", "held", "size", "started_ns")

    def __init__(self, started_ns: int, max_bytes: int) -> None:
        self.started_ns = started_ns
        self._max_bytes = max_bytes
        self.chunks: list[tuple[int, bytes]] = []
        self.size = 0
        """Bytes heard, kept or not."""
        self.held = 0
        """Bytes in memory, as the recorder is told."""
        self._lent = 0
        self.ended = False
        self.dropped: str | None = None
        """Why there are no chunks: `limit`, `in_flight`, or the message that sends a file (`pathsend`)."""

    def hear(self, data: object, more: bool) -> None:
        if data:
            chunk = data if type(data) is bytes else bytes(memoryview(data))  # type: ignore[arg-type]  # else TypeError
            self.size += len(chunk)
            if self.dropped is None:
                self._keep(chunk)
        if not more:
            self.ended = True

    def _keep(self, chunk: bytes) -> None:
        cost = len(chunk) + CHUNK_OVERHEAD
        if self.held + cost > self._max_bytes:
            self.drop("limit")
        elif not budget.take(cost):
            self.drop("in_flight")
        else:
            self.held += cost
            self._lent += cost
            self.chunks.append((time.monotonic_ns() - self.started_ns, chunk))

    def drop(self, reason: str) -> None:
        # In this order: a codec in another thread takes the chunks first and looks for a reason after that.
        self.dropped = reason
        self.chunks, self.held = [], 0
        self.release()

    def release(self) -> None:
        """From here on the recorder counts these bytes, or nobody holds them."""
        lent, self._lent = self._lent, 0
        if lent:
            budget.give(lent)


class HeardRequest:
    """The request line as it was before the app: routers change the scope in place."""

    __slots__ = ("apps", "body", "headers", "scope", "started_ns")

    def __init__(self, scope: Message, apps: tuple[object, ...], max_bytes: int) -> None:
        self.started_ns = time.monotonic_ns()
        self.scope: Mapping[str, Any] = dict(scope)
        self.headers = pairs(scope.get("headers"))
        self.apps = apps
        """Objects by one of which the application may be found in a module."""
        self.body = Body(self.started_ns, max_bytes)


class HeardResponse:
    __slots__ = (
        "body",
        "disconnected_ns",
        "exception",
        "expects_trailers",
        "headers",
        "send_failed",
        "started_ns",
        "status",
    )

    def __init__(self, started_ns: int, max_bytes: int) -> None:
        self.started_ns = started_ns
        self.status: int | None = None
        self.headers: list[Any] = []
        self.expects_trailers = False
        self.body = Body(started_ns, max_bytes)
        self.disconnected_ns: int | None = None
        self.send_failed = False
        """The server refused a message, since the client had gone (ASGI 2.4)."""
        self.exception: HeardException | None = None

    def start(self, message: Message) -> None:
        self.status = message["status"]
        self.headers = pairs(message.get("headers"))
        self.expects_trailers = bool(message.get("trailers", False))

    def disconnect(self) -> None:
        """The client went away; only the first time counts."""
        if self.disconnected_ns is None:
            self.disconnected_ns = time.monotonic_ns() - self.started_ns


class HeardException:
    """An exception on its way out of the app, without its frames: those hold the app's variables."""

    __slots__ = ("cancelled", "message", "traceback", "type")

    def __init__(self, error: BaseException, traceback: TracebackType | None, message: str | None) -> None:
        kind = type(error)
        self.type = f"{kind.__module__}.{kind.__qualname__}"
        self.message = message
        self.cancelled = kind.__name__ in ("CancelledError", "Cancelled")
        # Source lines are looked up by the codec: that reads files.
        self.traceback = TracebackException(kind, error, traceback, limit=-FRAMES_MAX, lookup_lines=False)


def pairs(headers: object) -> list[Any]:
    """The header list as it is now; empty if it is an iterator, which only the server may use up."""
    return list(headers) if isinstance(headers, (list, tuple)) else []
