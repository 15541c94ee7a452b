"""A connect that failed, or a greeting that the server refused: an exchange, `net.connect`, and its error again."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final

from timetracer_otel.capture.table import tape
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.redis.hooks import introduced
from timetracer_otel.drivers.redis.names import LIBRARY
from timetracer_otel.drivers.redis.tracking import Received, Sent, tracked_of

CONNECT: Final = "net.connect"
"""Type of the exchange."""
DIAL, GREET = "connect", "greet"
"""`op`: whether no socket was to be had, or the server did not want this client."""
TYPES: Final[Mapping[str, type[BaseException]]] = {
    each.__name__: each
    for each in (
        OSError,
        ConnectionRefusedError,
        ConnectionResetError,
        ConnectionAbortedError,
        BrokenPipeError,
        FileNotFoundError,
        PermissionError,
        TimeoutError,
        socket.gaierror,
        ssl.SSLError,
        ssl.SSLCertVerificationError,
        ssl.SSLEOFError,
    )
}
"""What the system raises; beside it, what redis-py does."""
TEXT_MAX: Final = 4096


def failed(connection: Any, error: BaseException, op: str) -> None:
    """A connection could not be made."""
    from redis.exceptions import RedisError

    active = tape()
    if active is None or not active.listens() or not isinstance(error, (OSError, asyncio.TimeoutError, RedisError)):
        return
    tracked = tracked_of(connection)
    if tracked.is_foreign or tracked.quiet:
        return
    sent = Sent((), tracked, tracked.protocol, op)
    captured = active.open(LIBRARY, sent, introduced(tracked, active))
    if captured is not None:
        active.close(captured, Received(error=error), 0)


def told(error: BaseException) -> Payload:
    """An error as a cassette holds it."""
    return {"type": type(error).__name__, "args": [_plain(each) for each in error.args[:3]]}


def _plain(value: object) -> Value:
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value)[:TEXT_MAX]


def again(error: Value) -> BaseException | None:
    """The recorded error; None where it is none that redis-py or the system raises."""
    import redis.exceptions

    if not isinstance(error, Mapping):
        return None
    name, arguments = str(error.get("type", "")), error.get("args")
    kind = TYPES.get(name) or getattr(redis.exceptions, name, None)
    is_known = isinstance(kind, type) and issubclass(kind, (OSError, redis.exceptions.RedisError))
    if not is_known or kind is None or isinstance(arguments, (str, bytes)) or not isinstance(arguments, Sequence):
        return None
    made: BaseException = kind(*arguments)
    return made
