"""What is known of a command while it is under way."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured

NESTED_MAX: Final = 8
"""Commands that an application's own listeners run while another command is under way."""


@dataclass(slots=True)
class Sent:
    """A request on the tape."""

    message: bytes
    """As it went to the socket: OP_MSG, or OP_COMPRESSED around it."""
    database: str
    name: str
    target: str
    process: bytes
    """What marks the ObjectIds that this process makes: bytes 4 to 9 of them."""


@dataclass(slots=True)
class Received:
    """What came back."""

    replies: list[Any] = field(default_factory=list)
    """BSON documents; several of an exhaust cursor."""
    lost: str | None = None
    """Why no reply came."""
    is_unacknowledged: bool = False


@dataclass(slots=True)
class Attempt:
    """One command event of the driver: a retry is another one."""

    request_id: int
    name: str
    database: str
    address: Any
    span_id: int | None
    outer: Attempt | None
    transaction: int | None = None
    captured: Captured | None = None
    received: Received = field(default_factory=Received)
    size: int = 0


current: Final[ContextVar[Attempt | None]] = ContextVar("timetracer_pymongo_attempt", default=None)
"""Events, sending and receiving of one command all run in its caller's context: thread, task, or motor's executor."""


def depth(attempt: Attempt | None) -> int:
    count = 0
    while attempt is not None:
        attempt, count = attempt.outer, count + 1
    return count
