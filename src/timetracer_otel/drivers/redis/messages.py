"""What a server sends by itself: confirmations of subscriptions, messages, news of keys. Each message is an exchange of
its own, of the span in which it is read, and so is the end of a connection that breaks under a listener."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.redis.names import LIBRARY
from timetracer_otel.errors import WireError
from timetracer_otel.wire.redis.frames import FrameReader

if TYPE_CHECKING:
    from timetracer_otel.drivers.redis.tracking import Attempt, Tracked

MESSAGE: Final = "message"
CLOSED: Final = "closed"
PONG: Final = b"pong"
FRAME_MAX_BYTES: Final = 64 * 1024 * 1024


class Messages:
    """Of one socket."""

    __slots__ = ("pings", "reader")

    def __init__(self) -> None:
        self.reader = FrameReader(FRAME_MAX_BYTES)
        self.pings = 0
        """Health checks of a subscription, which are not answered yet."""


def read(tracked: Tracked, is_over: bool = False) -> None:
    """The client has read, and what has come until now is recorded; with `is_over` it reads no more, and what has come
    since counts only where it confirms something: no reader asks for the rest in replay."""
    data = tracked.take_unread()
    if not data:
        return
    try:
        frames = tracked.messages.reader.receive(data)
    except WireError:
        tracked.is_listening = False  # from here on nobody knows where a message begins
        raise
    for frame in frames:
        _sort(tracked, frame, is_over)


def _sort(tracked: Tracked, frame: bytes, is_over: bool) -> None:
    kind = kind_of(frame)
    attempt = next((each for each in tracked.pending if each.kind == kind), None)
    if attempt is not None:
        _confirm(tracked, attempt, frame)
    elif tracked.messages.pings and (kind == PONG or frame[:1] not in b"*>"):
        tracked.messages.pings -= 1
    elif not is_over:
        _record(tracked, [frame])


def broke(tracked: Tracked) -> None:
    """No more messages come: the server has closed the connection, or it was lost."""
    tracked.is_listening = False
    if tracked.topics:  # else nobody waits for any
        _record(tracked, [], CLOSED)


def kind_of(frame: bytes) -> bytes:
    """The first word of a push: `message`, `subscribe`."""
    if frame[:1] not in (b"*", b">"):
        return b""
    parts = frame[:64].split(b"\r\n", 3)
    return parts[2].lower() if len(parts) > 3 else b""


def _confirm(tracked: Tracked, attempt: Attempt, frame: bytes) -> None:
    from timetracer_otel.drivers.redis.hooks import end
    from timetracer_otel.drivers.redis.tracking import Received

    attempt.hear(frame)
    attempt.replies += 1
    if attempt.replies >= attempt.expected:
        tracked.pending.remove(attempt)
        end(tracked, attempt, Received(attempt.chunks))


def _record(tracked: Tracked, frames: list[bytes], lost: str = "") -> None:
    from timetracer_otel.drivers.redis.hooks import introduced
    from timetracer_otel.drivers.redis.tracking import Received, Sent

    active = tape()
    if active is None or not active.listens():
        return
    listened = tracked.topics.packed()
    sent = Sent([listened], tracked, tracked.protocol, MESSAGE)
    captured = active.open(LIBRARY, sent, introduced(tracked, active))
    if captured is not None:
        active.close(captured, Received(frames, lost), len(listened) + sum(map(len, frames)))
