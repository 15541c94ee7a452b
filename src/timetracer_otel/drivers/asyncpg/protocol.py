"""asyncpg's protocol with hooks around it: a subclass that stands in the place of `asyncpg.protocol.Protocol`.

asyncpg looks its protocol class up when it connects. Every operation is an `async` method of it, bytes come through
`data_received`, and leave through the transport that `connection_made` is given: that one is wrapped.
A method calls the original exactly once, gives back what it gave and raises what it raised; hooks cannot raise.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.asyncpg import hooks
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY

Hook: TypeAlias = Callable[..., Any]

OPERATIONS: Final = {
    "prepare": "preparing",
    "bind_execute": "executing",
    "bind": "executing",
    "bind_execute_many": "executing_many",
    "execute": "reading_on",
    "query": "querying",
    "copy_in": "copying",
    "copy_out": "copying",
    "close_portal": "closing_portal",
    "close_statement": "closing_statement",
}
"""Methods of the protocol, and the hook that each begins with."""
CALLBACKS: Final = ("connection_made", "data_received", "connection_lost")
READ: Final = ("get_settings", "is_closed", "is_in_transaction")
"""What the hooks ask the protocol."""


class TappedTransport:
    """The transport as the protocol sees it; `connection` keeps the real one, and closes and aborts by it."""

    __slots__ = ("_protocol", "_saying", "_transport", "write")

    def __init__(self, transport: Any, protocol: Any, saying: Hook) -> None:
        self._transport, self._protocol, self._saying = transport, protocol, saying
        write = transport.write

        def tapped(data: Any) -> None:
            saying(protocol, data)
            write(data)

        self.write = tapped

    def writelines(self, buffers: Any) -> None:
        for data in buffers:  # asyncpg gives a list
            self._saying(self._protocol, data)
        self._transport.writelines(buffers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def tapped(base: Any) -> Any:
    """A subclass of asyncpg's `Protocol` that records."""
    guard = guarded(LIBRARY)
    made, hearing, lost = guard(hooks.made), guard(hooks.hearing), guard(hooks.lost)
    saying, done, failed = guard(hooks.saying), guard(hooks.done), guard(hooks.failed)

    class Tapped(base):  # type: ignore[misc]  # asyncpg's protocol is a C type
        def __init__(self, addr: Any, connected_fut: Any, con_params: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(addr, connected_fut, con_params, *args, **kwargs)
            made(self, addr, con_params)

        def connection_made(self, transport: Any) -> None:
            super().connection_made(TappedTransport(transport, self, saying))

        def data_received(self, data: Any) -> None:
            hearing(self, data)
            super().data_received(data)

        def connection_lost(self, exc: Any) -> None:
            lost(self, exc)
            super().connection_lost(exc)

    for name, hook in OPERATIONS.items():
        setattr(Tapped, name, _operation(getattr(base, name), guard(getattr(hooks, hook)), done, failed))
    Tapped.__name__ = Tapped.__qualname__ = base.__name__
    return Tapped


def _operation(
    original: Callable[..., Awaitable[Any]], begin: Hook, done: Hook, failed: Hook
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def operation(self: Any, *args: Any, **kwargs: Any) -> Any:
        begun = begin(self, *args, **kwargs)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as error:
            failed(self, begun, error)
            raise
        if begun is not None:
            done(self, begun)
        return result

    return operation
