"""asyncpg in replay: it dials a stub that speaks PostgreSQL, and says before each request for whom it works."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.drivers.asyncpg.answers import AsyncpgAnswers
from timetracer_otel.drivers.asyncpg.connecting import place_of
from timetracer_otel.drivers.asyncpg.failures import can_raise, error_of
from timetracer_otel.drivers.asyncpg.protocol import TappedTransport
from timetracer_otel.drivers.asyncpg.redirect import HIDDEN_VARIABLES, LOOPBACK, redirected
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY
from timetracer_otel.drivers.base import Question, ReplayHost, ServerCore
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.postgres import making, refusals
from timetracer_otel.drivers.postgres.answers import Claim
from timetracer_otel.drivers.postgres.connecting import CONNECT, UNANSWERED
from timetracer_otel.drivers.postgres.known import agreed
from timetracer_otel.drivers.postgres.questions import question_of
from timetracer_otel.drivers.postgres.refusing import Calls, question_of_connect
from timetracer_otel.wire.postgres.backend import Backend

FLUSH: Final = b"H\0\0\0\x04"
LISTEN: Final = re.compile(rb"(?i)\0\s*LISTEN\s|\AQ....\s*LISTEN\s", re.DOTALL)
"""In Parse, after the name of the statement, or in Query."""
LISTEN_EVERY_S: Final = 0.01
LOST: Final = "replay cannot redirect it"
PING: Final = ("sqlalchemy.dialects.postgresql.asyncpg", "_async_ping")
PING_DEPTH: Final = 16
"""Frames between it and the socket are half as many."""


class Stub:
    """The stub's side of one replay: which connections there are, and for whom each works."""

    def __init__(self, host: ReplayHost) -> None:
        self.host = host
        self._answers: WeakValueDictionary[int, AsyncpgAnswers] = WeakValueDictionary()
        self._dialled: Sequence[Connection] = ()
        self._calls = Calls(LIBRARY, can_raise)
        self._port = host.serve(LIBRARY, self._backend)

    def _backend(self, number: int) -> ServerCore:
        answers = AsyncpgAnswers(LIBRARY, number, self._unclaimed, lambda: self._dialled)
        self._answers[number] = answers
        return Backend(number, answers, self._cancel)

    def _cancel(self, number: int) -> None:
        if (answers := self._answers.get(number)) is not None:
            answers.cancel()

    def _unclaimed(self) -> Claim:
        return Claim(*self.host.current())

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self._port()

    def failure(self, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """How the call of `connect` that begins ends; None if it does not fail."""
        return next(iter(self._calls.failures(*self.host.current(), place_of(arguments))), None)

    def dial(self, database: object) -> None:
        """A connection is about to be made, in the app's context."""
        source, _ = self.host.current()
        known = source.connections(LIBRARY)
        self._dialled = sorted(known, key=lambda each: each.parameters.get("database") != database)

    def recorded(self) -> dict[str, str]:
        """User and database, where all recorded connections agree on them."""
        source, _ = self.host.current()
        known = source.connections(LIBRARY)
        return {name: value for name in ("user", "database") if (value := agreed(known, name))}

    def claim(self, protocol: Any, data: Any) -> None:
        """The connection works for the session of the calling context from now on."""
        answers = self._answers.get(protocol.get_server_pid() or 0)
        if answers is None:
            return
        source, asked = self.host.current()
        database, is_making = protocol._timetracer_database, making.is_making.get()
        answers.claim = Claim(source, asked, database, _is_ping(), is_making, self.host.early() if is_making else None)
        if LISTEN.search(data) is not None:
            answers.listener, was_listening = answers.claim, answers.listener is not None
            if not was_listening:
                protocol._timetracer_listens()


def _is_ping() -> bool:
    """SQLAlchemy's pool asks, in a transaction of its own. What begins that could be anybody's, but for who asks.

    Source: SQLAlchemy 2.0.36 and newer, `dialects/postgresql/asyncpg.py`.
    """
    frame = sys._getframe(1)
    for _ in range(PING_DEPTH):
        if frame.f_code.co_name == PING[1] and frame.f_globals.get("__name__") == PING[0]:
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


class AsyncpgReplaying:
    """Implements `drivers.base.Replaying`."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._variables: dict[str, str] = {}
        self._stub: Stub | None = None

    def install(self, host: ReplayHost) -> None:
        if self._patches:
            return
        from asyncpg import connect_utils, connection, pool, protocol

        names = ("_connect", "_parse_connect_arguments", "_connect_addr", "_cancel", "protocol")
        require("asyncpg", [(protocol, "Protocol"), *((connect_utils, name) for name in names)], LOST)
        require("asyncpg", [(connection.Connection, "_check_open")], LOST)
        require("asyncpg", [(protocol.Protocol, "connection_made"), (protocol.Protocol, "get_server_pid")], LOST)
        if self._stub is None or self._stub.host is not host:  # else connections of a replay before this one are there
            self._stub = Stub(host)
        stub = self._stub
        self._patches.put(protocol, "Protocol", _claiming(protocol.Protocol, stub))
        for name, redirect in (
            ("_connect", _refusing),
            ("_parse_connect_arguments", _parsing),
            ("_connect_addr", _connecting),
            ("_cancel", _cancelling),
        ):
            self._patches.put(connect_utils, name, redirect(stub, getattr(connect_utils, name)))
        self._patches.put(connection.Connection, "_check_open", _knowing(stub, connection.Connection._check_open))
        if "_get_new_connection" in vars(pool.Pool):  # without it a pool has the answers of who asks it
            self._patches.put(pool.Pool, "_get_new_connection", making.making_async(pool.Pool._get_new_connection))
        making.put_in(self._patches)
        refusals.of_asyncpg(self._patches, host, LIBRARY, pool.Pool)
        refusals.of_sqlalchemy(self._patches, host, LIBRARY)
        self._variables = {name: os.environ.pop(name) for name in HIDDEN_VARIABLES if name in os.environ}

    def uninstall(self) -> None:
        self._patches.undo()
        os.environ.update(self._variables)
        self._variables = {}

    def question(self, exchange: Exchange) -> Question:
        return question_of_connect(exchange) if exchange.type == CONNECT else question_of(exchange)


REPLAYING: Final = AsyncpgReplaying()


def _claiming(base: Any, stub: Stub) -> Any:
    """Every request leaves through the transport, synchronously in the app's context."""

    class Claiming(base):  # type: ignore[misc]  # asyncpg's protocol is a C type
        def __init__(self, addr: Any, connected_fut: Any, con_params: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(addr, connected_fut, con_params, *args, **kwargs)
            self._timetracer_database = con_params.database

        def connection_made(self, transport: Any) -> None:
            self._timetracer_transport = transport
            super().connection_made(TappedTransport(transport, self, stub.claim))

        def _timetracer_listens(self) -> None:
            """Asks the stub again and again for what the server would send by itself."""
            if not self._timetracer_transport.is_closing():
                self._timetracer_transport.write(FLUSH)
                asyncio.get_running_loop().call_later(LISTEN_EVERY_S, self._timetracer_listens)

    return Claiming


def _knowing(stub: Stub, original: Callable[[Any], None]) -> Callable[[Any], None]:
    """What every operation of a connection begins with."""

    def _check_open(self: Any) -> None:
        original(self)
        if not hasattr(self._protocol, "_timetracer_database"):
            from asyncpg import InterfaceError

            if (text := stub.host.foreign(LIBRARY, str(self._addr))) is not None:
                raise InterfaceError(text)

    return _check_open


def _refusing(stub: Stub, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A call that failed fails again; where nobody answered it, its app gives up again."""

    async def connect(**arguments: Any) -> Any:
        failure = stub.failure(arguments)
        if failure is None:
            return await original(**arguments)
        if failure.get("type") == UNANSWERED:
            return await asyncio.get_running_loop().create_future()
        raise error_of(failure)

    return connect


def _parsing(stub: Stub, original: Callable[..., Any]) -> Callable[..., Any]:
    def parse(**arguments: Any) -> Any:
        addresses, *rest = original(**redirected(arguments, stub.recorded()))
        return (addresses[:1], *rest)

    return parse


def _connecting(stub: Stub, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def connect(*, addr: Any, params: Any, **others: Any) -> Any:
        stub.dial(params.database)
        connection = await original(addr=stub.address, params=params, **others)
        connection._addr = addr  # spans name production's server
        return connection

    return connect


def _cancelling(stub: Stub, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def cancel(*, addr: Any, **others: Any) -> Any:
        return await original(addr=stub.address, **others)

    return cancel
