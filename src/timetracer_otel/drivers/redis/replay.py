"""redis-py in replay: every connection dials a stub on loopback, whatever it is told, and the answer to each batch is
laid ready before its bytes leave."""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import socket
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question, ReplayHost, ServerCore
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.redis import due, exceptions, tokens
from timetracer_otel.drivers.redis.answers import RedisAnswers, Unsendable
from timetracer_otel.drivers.redis.connecting import DIAL, GREET
from timetracer_otel.drivers.redis.handshake import greeted
from timetracer_otel.drivers.redis.names import GREETINGS, LIBRARY, NEEDED, bases, connecting_classes, protocol, server
from timetracer_otel.drivers.redis.questions import question_of
from timetracer_otel.drivers.redis.tracking import database_of
from timetracer_otel.wire.redis.backend import Answer, Line, RedisBackend, greeting
from timetracer_otel.wire.redis.commands import commands, pack
from timetracer_otel.wire.redis.topics import Topics

LOST: Final = "replay cannot redirect it"
LINK: Final = "_timetracer_link"
"""Attribute of a connection."""
ASKING: Final = pack([[b"TIMETRACER.MESSAGES"]])
"""What a listener sends to get what is due; no client sends it."""
PING: Final = "_send_ping"

Hook: TypeAlias = Callable[..., Any]


class Link:
    """The client's side of one connection."""

    def __init__(self, connection: Any, host: ReplayHost, number: int) -> None:
        self.number, self.line, self.topics = number, Line(), Topics()
        self._protocol = protocol(connection)
        self.answers = RedisAnswers(host, number, server(connection), database_of(connection), self._protocol)
        self.quiet = 0

    def claim(self, command: Any) -> None:
        """A batch is about to leave. Raises Unsendable."""
        message = _joined(command)
        batch = commands(message)
        if self.quiet or self._is_ping(batch):
            reply = b"".join(greeted(each, self._protocol) for each in batch)
            self.line.expect(Answer(len(message), reply))
            return
        for name, *arguments in batch:
            self.topics.send(name.upper(), arguments)
        self.line.expect(self.answers.answer(batch, len(message)))

    def _is_ping(self, batch: list[list[bytes]]) -> bool:
        """A subscription looks whether its server is there: the client's own question."""
        return bool(self.topics) and len(batch) == 1 and batch[0][0].upper() == b"PING"

    def ask_for_messages(self, send: Callable[[bytes], object]) -> bool:
        """True if any is due, or the end of the connection; it is on its way then."""
        found, is_last = self.answers.messages(self.topics) if self.topics else ([], False)
        if found:
            self.line.expect(Answer(len(ASKING), b"".join(found), is_last))
            send(ASKING)
        return bool(found)


class RedisReplaying:
    """Implements `drivers.base.Replaying`."""

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, host: ReplayHost) -> None:
        if self._patches:
            return
        require(LIBRARY, [(base, name) for base in bases() for name in NEEDED], LOST, own=True)
        stub = _Stub(host)
        for owner, is_async in connecting_classes():
            wrap = stub.dialling_async if is_async else stub.dialling
            self._patches.put(owner, "_connect", wrap(vars(owner)["_connect"]))
        for base, is_async in zip(bases(), (False, True), strict=True):
            for name in (each for each in (*GREETINGS, PING) if each in vars(base)):
                quiet = _quiet_async if is_async else _quiet
                self._patches.put(base, name, quiet(vars(base)[name], name in GREETINGS))
            sends, reads = (_claiming_async, _reading_async) if is_async else (_claiming, _reading(base))
            self._patches.put(base, "send_packed_command", sends(stub, vars(base)["send_packed_command"]))
            self._patches.put(base, "read_response", reads(vars(base)["read_response"]))
            if not is_async:
                self._patches.put(base, due.CAN_READ, _looking(vars(base)[due.CAN_READ]))
        exceptions.put_in()
        tokens.put_in(self._patches)

    def uninstall(self) -> None:
        if self._patches:
            exceptions.take_out()
        self._patches.undo()

    def question(self, exchange: Exchange) -> Question:
        return question_of(exchange)


REPLAYING: Final = RedisReplaying()


class _Stub:
    """The stub's side of one replay, and how connections get there."""

    def __init__(self, host: ReplayHost) -> None:
        self._host = host
        self._links: weakref.WeakValueDictionary[int, Link] = weakref.WeakValueDictionary()
        self._numbers = itertools.count(1)
        self._port = host.serve(LIBRARY, self._backend)

    def _backend(self, _: int) -> ServerCore:
        return RedisBackend(self._line_of)

    def _line_of(self, number: int) -> Line | None:
        link = self._links.get(number)
        return None if link is None else link.line

    def _linked(self, connection: Any) -> Link:
        """A new link, since this is a new socket. Raises what the recorded connection met here."""
        before: Link | None = vars(connection).get(LINK)
        link = Link(connection, self._host, next(self._numbers))
        if before is not None:
            link.quiet = before.quiet
        self._links[link.number] = link
        setattr(connection, LINK, link)
        if (error := link.answers.refuses(DIAL)) is not None:
            raise error
        return link

    def serves(self, connection: Any) -> bool:
        """False for a connection that was made before this replay, to a real server or for another replay."""
        link: Link | None = vars(connection).get(LINK)
        return link is not None and self._links.get(link.number) is link

    def dialling(self, original: Hook) -> Hook:
        @functools.wraps(original)
        def _connect(connection: Any) -> socket.socket:
            link = self._linked(connection)
            sock = socket.create_connection(("127.0.0.1", self._port()))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(connection.socket_timeout)
            sock.sendall(greeting(link.number))
            return sock

        return _connect

    def dialling_async(self, original: Hook) -> Hook:
        @functools.wraps(original)
        async def _connect(connection: Any) -> None:
            link = self._linked(connection)
            connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", self._port())
            connection._writer.write(greeting(link.number))

        return _connect


def _joined(command: Any) -> bytes:
    pieces = [command] if isinstance(command, (str, bytes)) else command
    return b"".join(each.encode() if isinstance(each, str) else bytes(each) for each in pieces)


# ---- sending ---------------------------------------------------------------------------------------------------------


def _claiming(stub: _Stub, original: Hook) -> Hook:
    @functools.wraps(original)
    def send_packed_command(connection: Any, command: Any, check_health: bool = True) -> Any:
        if not stub.serves(connection):
            connection.disconnect()
        if not connection._sock:  # the driver would do the same a moment later, behind our back
            _connected(connection)
        if check_health:
            connection.check_health()
        try:
            _link(connection).claim(command)
        except Unsendable as unsendable:
            connection.disconnect()
            raise unsendable.error from None
        return original(connection, command, False)

    return send_packed_command


def _claiming_async(stub: _Stub, original: Hook) -> Hook:
    @functools.wraps(original)
    async def send_packed_command(connection: Any, command: Any, check_health: bool = True) -> Any:
        if not stub.serves(connection):
            await connection.disconnect(nowait=True)
        if not connection.is_connected:
            await _connected(connection)
        if check_health:
            await connection.check_health()
        try:
            _link(connection).claim(command)
        except Unsendable as unsendable:
            await connection.disconnect(nowait=True)
            raise unsendable.error from None
        return await original(connection, command, False)

    return send_packed_command


def _connected(connection: Any) -> Any:
    """As `send_packed_command` does it. Source: redis-py 4.6 to 5.2 (`connect`), 5.3 to 8.1."""
    checked = getattr(connection, "connect_check_health", None)
    return connection.connect() if checked is None else checked(check_health=False)


def _link(connection: Any) -> Link:
    return vars(connection)[LINK]  # type: ignore[no-any-return]  # nobody else uses the attribute


# ---- quiet -----------------------------------------------------------------------------------------------------------


def _quiet(original: Hook, is_greeting: bool) -> Hook:
    @functools.wraps(original)
    def introduce(connection: Any, *args: Any, **kwargs: Any) -> Any:
        link: Link | None = vars(connection).get(LINK)
        if link is None:  # of a connection that was made before this replay
            return original(connection, *args, **kwargs)
        _refused(link, is_greeting)
        link.quiet += 1
        try:
            return original(connection, *args, **kwargs)
        finally:
            link.quiet -= 1

    return introduce


def _quiet_async(original: Hook, is_greeting: bool) -> Hook:
    @functools.wraps(original)
    async def introduce(connection: Any, *args: Any, **kwargs: Any) -> Any:
        link: Link | None = vars(connection).get(LINK)
        if link is None:  # as above
            return await original(connection, *args, **kwargs)
        _refused(link, is_greeting)
        link.quiet += 1
        try:
            return await original(connection, *args, **kwargs)
        finally:
            link.quiet -= 1

    return introduce


def _refused(link: Link, is_greeting: bool) -> None:
    """Raises what the recorded server has said to this greeting, if it wanted none of it."""
    error = link.answers.refuses(GREET) if is_greeting and not link.quiet else None
    if error is not None:
        raise error


# ---- reading ---------------------------------------------------------------------------------------------------------


def _listens(connection: Any) -> Link | None:
    """The link of a connection to which the server sends by itself."""
    link: Link | None = vars(connection).get(LINK)
    return link if link is not None and link.topics and not link.quiet else None


def _looking(original: Hook) -> Hook:
    @functools.wraps(original)
    def can_read(connection: Any, timeout: float | None = 0) -> Any:
        link = _listens(connection)
        if link is None or connection._sock is None:
            return original(connection, timeout=timeout)
        return due.wait(link, connection, original, timeout)

    return can_read


def _reading(base: Any) -> Callable[[Hook], Hook]:
    can_read = vars(base)[due.CAN_READ]

    def wrapped(original: Hook) -> Hook:
        @functools.wraps(original)
        def read_response(connection: Any, *args: Any, **kwargs: Any) -> Any:
            link = _listens(connection)
            if link is not None and connection._sock is not None:
                due.wait(link, connection, can_read, _patience_s(connection, kwargs))
            return original(connection, *args, **kwargs)

        return read_response

    return wrapped


def _patience_s(connection: Any, kwargs: dict[str, Any]) -> float | None:
    """How long the application wants to wait; None for as long as it takes."""
    asked = kwargs.get("timeout", connection.socket_timeout)
    return float(asked) if isinstance(asked, (int, float)) and asked != math.inf else None


def _reading_async(original: Hook) -> Hook:
    @functools.wraps(original)
    async def read_response(connection: Any, *args: Any, **kwargs: Any) -> Any:
        link = _listens(connection)
        reading = original(connection, *args, **kwargs)
        return await (reading if link is None else due.read(link, connection, reading))

    return read_response
