"""Messages of pub/sub in replay: sent once all that was asked before them is asked for again.

Nobody but the reader looks whether one is due. It asks the stub for it over its own connection, so that a message comes
behind what is on its way there already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from timetracer_otel.drivers.redis.replay import Link

TICK_S: Final = 0.01
"""So often a reader that waits looks again: what it waits for may be up to another thread."""
CAN_READ: Final = "can_read"


def wait(link: Link, connection: Any, can_read: Callable[..., Any], timeout_s: float | None) -> bool:
    """True when a synchronous connection has something to read, at the latest after `timeout_s`.

    Raises ConnectionError of redis-py where the stub, or another thread of the application, closes it meanwhile.
    """
    sock = connection._sock
    try:
        return _waited(link, connection, can_read, timeout_s)
    except (AttributeError, TypeError, ValueError, OSError):
        if connection._sock is sock:
            raise
        raise _closed() from None  # parts of what another thread has closed: whoever waits in `recv` meets its end


def _waited(link: Link, connection: Any, can_read: Callable[..., Any], timeout_s: float | None) -> bool:
    sock = connection._sock
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        if connection._sock is not sock:
            raise _closed()
        is_due = link.ask_for_messages(sock.sendall)
        left = TICK_S if deadline is None else max(0.0, min(TICK_S, deadline - time.monotonic()))
        # What is due is on loopback by now or in a moment, and a caller that does not wait must find it all the same.
        if can_read(connection, timeout=1.0 if is_due else left):
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False


def _closed() -> Exception:
    """Source: redis-py 4.6 to 8.1, SERVER_CLOSED_CONNECTION_ERROR."""
    from redis.exceptions import ConnectionError as RedisConnectionError

    return RedisConnectionError("Connection closed by server.")


async def read(link: Link, connection: Any, reading: Awaitable[Any]) -> Any:
    """What `reading` gives, which gets the messages that become due meanwhile."""
    task = asyncio.ensure_future(reading)
    try:
        while not task.done():
            writer = connection._writer
            if writer is not None:
                link.ask_for_messages(writer.write)
            await asyncio.wait({task}, timeout=TICK_S)
    finally:
        if not task.done():
            task.cancel()
    return task.result()
