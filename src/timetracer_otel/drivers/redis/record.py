"""The taps' places: every command, batch and greeting of redis-py passes `send_packed_command`, already packed, in the
context of who asks.

Seams: redis-py 4.6 to 8.1, `redis.connection` and `redis.asyncio.connection`: `AbstractConnection`, its `_sock` and
`_reader`, and the `_connect` of the classes that have one.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sized
from typing import Any, Final, TypeAlias

from timetracer_otel.capture.guard import guarded
from timetracer_otel.config import Settings
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.redis import connecting, hooks, owners, tokens, tracking, wires
from timetracer_otel.drivers.redis.connecting import DIAL, GREET
from timetracer_otel.drivers.redis.due import CAN_READ
from timetracer_otel.drivers.redis.names import GREETINGS, LIBRARY, NEEDED, bases, connecting_classes
from timetracer_otel.drivers.redis.tracking import KEY, OWNER, Attempt, Tracked, tracked_of

LOST: Final = "commands are not recorded"
PING: Final = "_send_ping"

Hook: TypeAlias = Callable[..., Any]


class RedisRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self) -> None:
        if self._patches:
            return
        require(LIBRARY, [(base, name) for base in bases() for name in NEEDED], LOST, own=True)
        tracking.payload_max_bytes = Settings.from_environment().payload_max_bytes
        taps = _Taps()
        for base, is_async in zip(bases(), (False, True), strict=True):
            put = functools.partial(_put, self._patches, base)
            put("send_packed_command", taps.sending_async if is_async else taps.sending)
            put("read_response", taps.reading_async if is_async else taps.reading)
            put("disconnect", taps.disconnecting_async if is_async else taps.disconnecting)
            put("pack_commands", taps.packing)
            if not is_async:
                put(CAN_READ, taps.looking)
            for name in (each for each in (*GREETINGS, PING) if each in vars(base)):
                put(name, functools.partial(taps.quiet_async if is_async else taps.quiet, is_new=name != PING))
        owners_of = [owner for owner, _ in connecting_classes()]
        for owner, is_async in connecting_classes():
            wrap = taps.dialling_async if is_async else taps.dialling
            _put(self._patches, owner, "_connect", functools.partial(wrap, owner=owner, dialling=owners_of))
        tokens.put_in(self._patches)
        owners.put_in(self._patches)

    def uninstall(self) -> None:
        self._patches.undo()


RECORDING: Final = RedisRecording()


def _put(patches: Patches, owner: Any, name: str, wrap: Callable[[Hook], Hook]) -> None:
    patches.put(owner, name, wrap(vars(owner)[name]))


def _sent(connection: Any, attempt: Attempt | None) -> None:
    """A batch has left: only now the connection is sure to have a socket, of which nothing was read yet."""
    tracked: Tracked = vars(connection).get(KEY) or tracked_of(connection)
    wires.listen(connection, tracked)
    hooks.sent(tracked, attempt)


def _listen_async(connection: Any) -> None:
    wires.listen_async(connection, tracked_of(connection))


class _Taps:
    """The guarded hooks, around what they listen to: nothing but these calls stands between the application and the
    driver."""

    def __init__(self) -> None:
        guard = guarded(LIBRARY)
        self._packed = guard(hooks.packed)
        self._sending = guard(hooks.sending)
        self._sent = guard(_sent)
        self._unsent = guard(hooks.unsent)
        self._answered = guard(hooks.answered)
        self._looked = guard(hooks.looked)
        self._disconnected = guard(hooks.disconnected)
        self._hush = guard(hooks.hush)
        self._resume = guard(hooks.resume)
        self._failed = guard(connecting.failed)
        self._listen_async = guard(_listen_async)

    def packing(self, original: Hook) -> Hook:
        @functools.wraps(original)
        def pack_commands(connection: Any, commands: Any, *args: Any, **kwargs: Any) -> Any:
            if OWNER in connection.__dict__:
                return original(connection, commands, *args, **kwargs)
            if not isinstance(commands, Sized):
                commands = tuple(commands)
            output = original(connection, commands, *args, **kwargs)
            self._packed(connection, output, len(commands))
            return output

        return pack_commands

    def sending(self, original: Hook) -> Hook:
        @functools.wraps(original)
        def send_packed_command(connection: Any, command: Any, *args: Any, **kwargs: Any) -> Any:
            if OWNER in connection.__dict__:
                return original(connection, command, *args, **kwargs)
            attempt = self._sending(connection, command)
            try:
                result = original(connection, command, *args, **kwargs)
            except BaseException as error:
                self._unsent(connection, attempt, error)
                raise
            self._sent(connection, attempt)
            return result

        return send_packed_command

    def sending_async(self, original: Hook) -> Hook:
        @functools.wraps(original)
        async def send_packed_command(connection: Any, command: Any, *args: Any, **kwargs: Any) -> Any:
            attempt = self._sending(connection, command)
            self._listen_async(connection)  # the answer may come before this returns
            try:
                result = await original(connection, command, *args, **kwargs)
            except BaseException as error:
                self._unsent(connection, attempt, error)
                raise
            return result

        return send_packed_command

    def reading(self, original: Hook) -> Hook:
        @functools.wraps(original)
        def read_response(connection: Any, *args: Any, **kwargs: Any) -> Any:
            if OWNER in connection.__dict__:
                return original(connection, *args, **kwargs)
            try:
                response = original(connection, *args, **kwargs)
            except BaseException as error:
                self._answered(connection, error)
                raise
            self._answered(connection)
            return response

        return read_response

    def reading_async(self, original: Hook) -> Hook:
        @functools.wraps(original)
        async def read_response(connection: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                response = await original(connection, *args, **kwargs)
            except BaseException as error:
                self._answered(connection, error)
                raise
            self._answered(connection)
            return response

        return read_response

    def looking(self, original: Hook) -> Hook:
        """A listener waits here, and hears here that its connection is gone."""

        @functools.wraps(original)
        def can_read(connection: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(connection, *args, **kwargs)
            except BaseException as error:
                self._looked(connection, error)
                raise

        return can_read

    def disconnecting(self, original: Hook) -> Hook:
        @functools.wraps(original)
        def disconnect(connection: Any, *args: Any, **kwargs: Any) -> Any:
            self._disconnected(connection)
            return original(connection, *args, **kwargs)

        return disconnect

    def disconnecting_async(self, original: Hook) -> Hook:
        @functools.wraps(original)
        async def disconnect(connection: Any, *args: Any, **kwargs: Any) -> Any:
            self._disconnected(connection)
            return await original(connection, *args, **kwargs)

        return disconnect

    def quiet(self, original: Hook, is_new: bool) -> Hook:
        @functools.wraps(original)
        def introduce(connection: Any, *args: Any, **kwargs: Any) -> Any:
            current = self._hush(connection, is_new)
            try:
                result = original(connection, *args, **kwargs)
            except BaseException as error:
                self._resume(connection, current)
                self._refused(connection, error, is_new)
                raise
            self._resume(connection, current)
            return result

        return introduce

    def quiet_async(self, original: Hook, is_new: bool) -> Hook:
        @functools.wraps(original)
        async def introduce(connection: Any, *args: Any, **kwargs: Any) -> Any:
            current = self._hush(connection, is_new)
            self._listen_async(connection)
            try:
                result = await original(connection, *args, **kwargs)
            except BaseException as error:
                self._resume(connection, current)
                self._refused(connection, error, is_new)
                raise
            self._resume(connection, current)
            return result

        return introduce

    def _refused(self, connection: Any, error: BaseException, is_new: bool) -> None:
        if is_new:
            self._failed(connection, error, GREET)

    def dialling(self, original: Hook, owner: Any, dialling: list[Any]) -> Hook:
        @functools.wraps(original)
        def _connect(connection: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(connection, *args, **kwargs)
            except OSError as error:
                if _is_outermost(connection, owner, dialling):
                    self._failed(connection, error, DIAL)
                raise

        return _connect

    def dialling_async(self, original: Hook, owner: Any, dialling: list[Any]) -> Hook:
        @functools.wraps(original)
        async def _connect(connection: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                result = await original(connection, *args, **kwargs)
            except (OSError, asyncio.TimeoutError) as error:
                if _is_outermost(connection, owner, dialling):
                    self._failed(connection, error, DIAL)
                raise
            self._listen_async(connection)
            return result

        return _connect


def _is_outermost(connection: Any, owner: Any, dialling: list[Any]) -> bool:
    """False where another of these classes has called this one's `_connect`: TLS is spoken over TCP."""
    return next((each for each in type(connection).__mro__ if each in dialling), owner) is owner
