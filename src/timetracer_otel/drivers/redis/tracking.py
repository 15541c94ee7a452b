"""What is known of a connection, and of a request under way on it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.config import Settings
from timetracer_otel.drivers import numbers
from timetracer_otel.drivers.redis.names import protocol, server, target
from timetracer_otel.wire.redis.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from timetracer_otel.capture.table import Captured

KEY: Final = "_timetracer_tracked"
"""Attribute of a connection."""
OWNER: Final = "_timetracer_owner"
"""Attribute of a connection that belongs to another driver of ours."""
payload_max_bytes = Settings().payload_max_bytes
"""Of one answer; `record` sets it."""
UNREAD_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of messages that nobody has read."""


@dataclass(slots=True)
class Sent:
    """A request on the tape."""

    pieces: Sequence[bytes]
    """As they went to the socket."""
    tracked: Tracked
    protocol: int
    op: str = ""
    """`message` where the server sent something by itself: then `pieces` say what was listened to."""
    count: int = 0
    """Of the commands, where the client has packed several at a time; 0 where nobody has counted them."""


@dataclass(slots=True)
class Received:
    """What came back."""

    chunks: Sequence[bytes] = ()
    lost: str = ""
    """How it broke off: `timeout`, `cancelled` or `closed`; `left` where nobody waited for it."""
    error: BaseException | None = None
    """What the client raised, where it could not even send."""


@dataclass(slots=True)
class Attempt:
    """One batch under way: a retry is another one."""

    captured: Captured
    expected: int
    """Replies."""
    size: int
    replies: int = 0
    chunks: list[bytes] = field(default_factory=list)
    heard: int = 0
    """Bytes of the answer, kept or not."""
    kind: bytes = b""
    """`subscribe` and its kin, which are confirmed topic by topic."""
    is_ended: bool = False

    def hear(self, data: bytes) -> None:
        """Beyond what may be recorded nothing is kept: the tape refuses it by its size."""
        self.heard += len(data)
        if self.heard <= payload_max_bytes:
            self.chunks.append(data)
        else:
            self.chunks.clear()


class Tracked:
    """One connection, over all the sockets that it has."""

    __slots__ = (
        "current",
        "database",
        "is_foreign",
        "is_listening",
        "messages",
        "number",
        "packed",
        "pending",
        "protocol",
        "quiet",
        "server",
        "target",
        "told",
        "topics",
        "unread",
        "unread_size",
    )

    def __init__(self, connection: Any) -> None:
        self.number = next(numbers.connections)
        self.target, self.protocol = target(connection), protocol(connection)
        self.server = server(connection)
        self.database = database_of(connection)
        self.is_foreign = OWNER in vars(connection)
        self.current: Attempt | None = None
        """Whose answer is awaited."""
        self.quiet = 0
        """Above 0 while the client introduces itself or looks whether the server is there."""
        self.packed: tuple[object, int] | None = None
        """The batch that was packed last, and its number of commands."""
        self.told: object = None
        """The tape that has heard of this connection."""
        self.topics = Topics()
        self.renew()

    def renew(self) -> None:
        """It has a new socket: nothing is awaited and nothing subscribed there."""
        from timetracer_otel.drivers.redis.messages import Messages

        self.current = None
        self.is_listening = False
        """The server sends by itself here."""
        self.unread: deque[bytes] = deque()
        self.unread_size = 0
        self.pending: deque[Attempt] = deque()
        """Subscriptions that are not confirmed."""
        self.messages = Messages()
        self.topics.clear()

    def heard(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes have come in; they are copied where somebody wants them."""
        if self.quiet:
            return
        if self.current is not None:
            self.current.hear(bytes(data))
        elif self.is_listening and self.unread_size < UNREAD_MAX_BYTES:
            self.unread.append(bytes(data))
            self.unread_size += len(data)

    def take_unread(self) -> bytes:
        """What has come unasked since the last call."""
        pieces = []
        while self.unread:
            pieces.append(self.unread.popleft())
        self.unread_size = 0
        return b"".join(pieces)


def database_of(connection: Any) -> int:
    """Its number; 0 where the connection has none that is a number."""
    database = getattr(connection, "db", 0)
    return int(database) if isinstance(database, (int, str)) and str(database).isdigit() else 0


def tracked_of(connection: Any) -> Tracked:
    """What is known of this connection, from now on."""
    found = vars(connection).get(KEY)
    if found is None:
        found = Tracked(connection)
        setattr(connection, KEY, found)
    return found  # type: ignore[no-any-return]  # nobody else uses the attribute
