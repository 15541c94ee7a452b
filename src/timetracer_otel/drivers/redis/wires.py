"""Where the bytes of a server come in: the live socket, or asyncio's reader. Both stay the object that they are."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.redis.names import LIBRARY
from timetracer_otel.drivers.redis.tracking import Tracked

_classes: Final[dict[type, type]] = {}
"""The listening class of each class of sockets."""
_listeners: Final[dict[int, tuple[Any, Tracked]]] = {}
"""By id of the socket: a weak reference that takes itself out, and whose connection it is."""
FEEDING: Final = "feed_data"


def listen(connection: Any, tracked: Tracked) -> None:
    """From now on `tracked` hears what this connection's socket gives."""
    sock = getattr(connection, "_sock", None)
    if sock is None:
        return
    known = _listeners.get(id(sock))
    if known is not None and known[0]() is sock and known[1] is tracked:
        return
    sock.__class__ = _listening(type(sock))
    number = id(sock)
    _listeners[number] = (weakref.ref(sock, lambda _: _listeners.pop(number, None)), tracked)


def listen_async(connection: Any, tracked: Tracked) -> None:
    """The same for a connection of asyncio."""
    reader = getattr(connection, "_reader", None)
    if reader is None or FEEDING in vars(reader):
        return
    reader.feed_data = _feeding(reader.feed_data, tracked)


def _feeding(original: Callable[[Any], Any], tracked: Tracked) -> Callable[[Any], Any]:
    hear = guarded(LIBRARY)(_heard_by)

    def feed_data(data: Any) -> Any:
        hear(tracked, data)
        return original(data)

    return feed_data


def _heard_by(tracked: Tracked, data: Any) -> None:
    tracked.heard(data)


def _heard(sock: Any, data: bytes | memoryview) -> None:
    known = _listeners.get(id(sock))
    if known is not None:
        known[1].heard(data)


def _heard_into(sock: Any, buffer: Any, size: int) -> None:
    known = _listeners.get(id(sock))
    if known is not None:
        known[1].heard(memoryview(buffer)[:size])


def _listening(base: Any) -> type:
    """A subclass without a layout of its own, to which a live socket can change."""
    known = _classes.get(base)
    if known is not None:
        return known
    hear, hear_into = guarded(LIBRARY)(_heard), guarded(LIBRARY)(_heard_into)

    class Listening(base):  # type: ignore[misc]  # whichever class the socket has
        __slots__ = ()

        def recv(self, *args: Any) -> Any:
            data = base.recv(self, *args)
            if len(args) < 2:  # with flags it may only be a look at what is there
                hear(self, data)
            return data

        def recv_into(self, buffer: Any, *args: Any) -> Any:
            size = base.recv_into(self, buffer, *args)
            if len(args) < 2:
                hear_into(self, buffer, size)
            return size

    Listening.__name__, Listening.__qualname__ = base.__name__, base.__qualname__
    Listening.__module__ = base.__module__
    _classes[base] = _classes[Listening] = Listening
    return Listening
