"""The server's side of one connection: so many bytes of the client, then what is answered to them.

A batch has no boundary on the wire, and who sent it is not in it: both are told before the bytes leave (`Line`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from timetracer_otel.errors import WireError
from timetracer_otel.wire.redis.commands import pack
from timetracer_otel.wire.redis.frames import END

GREETING: Final = b"TIMETRACER"
"""The first command of a connection names its line. No client sends it, and it has no answer."""
GREETING_MAX_BYTES: Final = 128
GREETING_LINES: Final = 5
"""Of an array of two words."""


class Answer(NamedTuple):
    """To the next `size` bytes of the client."""

    size: int
    reply: bytes
    is_last: bool = False
    """The recorded connection broke here; this one does, too."""


class Line:
    """What the client's side of a connection tells the server's: an answer for each batch, in the order of the
    bytes. Each side has a thread of its own; the queue is all that they share."""

    def __init__(self) -> None:
        self._answers: deque[Answer] = deque()

    def expect(self, answer: Answer) -> None:
        """Before the bytes leave."""
        self._answers.append(answer)

    def next(self, received: int) -> Answer | None:
        """The answer to the first batch, once all of it has come."""
        if not self._answers or received < self._answers[0].size:
            return None
        return self._answers.popleft()


def greeting(name: int) -> bytes:
    """The first bytes of a client on the line of that name."""
    return pack([[GREETING, b"%d" % name]])


class RedisBackend:
    """Implements `drivers.base.ServerCore`."""

    def __init__(self, line_of: Callable[[int], Line | None]) -> None:
        self._line_of = line_of
        self._line: Line | None = None
        self._received = 0
        """Bytes of batches that are not whole yet: what they say is known on the client's side."""
        self._first = bytearray()
        self._is_closing = False

    @property
    def is_closing(self) -> bool:
        """True when the connection is to be closed after what `receive` returned was sent."""
        return self._is_closing

    def receive(self, data: bytes) -> bytes:
        """What the server sends after `data`. Raises WireError on a client that nobody has announced."""
        if self._line is None:
            data = self._greeted(data)
            if self._line is None:
                return b""
        self._received += len(data)
        said: list[bytes] = []
        while not self._is_closing and (answer := self._line.next(self._received)) is not None:
            self._received -= answer.size
            said.append(answer.reply)
            self._is_closing = answer.is_last
        return b"".join(said)

    def _greeted(self, data: bytes) -> bytes:
        """What came behind the greeting, once that is whole."""
        self._first += data
        lines = bytes(self._first[: GREETING_MAX_BYTES * 2]).split(END, GREETING_LINES)
        if len(lines) <= GREETING_LINES:
            if len(self._first) < GREETING_MAX_BYTES:
                return b""
            raise WireError("RESP client: it does not greet; it was not redirected here")
        if lines[2] != GREETING or not lines[4].isdigit():
            raise WireError("RESP client: it was not redirected here")
        self._line = self._line_of(int(lines[4]))
        if self._line is None:
            raise WireError(f"RESP client: nobody has announced line {lines[4].decode()}")
        return bytes(self._first[len(greeting(int(lines[4]))) :])
