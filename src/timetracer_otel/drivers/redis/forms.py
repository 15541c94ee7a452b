"""A recorded exchange: as the RESP that passed, and in readable form.

In wire form `commands` and `replies` are bytes. In readable form `commands` is a list of commands, each a list of its
words, and `replies` a list of values as `wire.redis.readable` writes them; where that would not give the same bytes
back, they stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.errors import DamagedCassette, Unconvertible, WireError
from timetracer_otel.wire.redis import readable
from timetracer_otel.wire.redis.commands import commands, pack
from timetracer_otel.wire.redis.frames import split

COMMANDS, REPLIES = "commands", "replies"
PARTIAL: Final = "partial"
"""Of a result: the beginning of a reply of which no more came."""
WHERE: Final = "exchange of redis"


def commands_of(request: Payload) -> list[list[bytes]]:
    """The recorded batch. Raises DamagedCassette."""
    found = request.get(COMMANDS)
    try:
        if isinstance(found, (str, bytes)):
            return commands(_raw(found))
        if isinstance(found, Sequence):
            return [[_raw(word) for word in _list(command)] for command in found]
    except WireError as error:
        raise DamagedCassette(WHERE, f"its commands: {error}") from None
    raise DamagedCassette(WHERE, "it has no commands")


def replies_of(result: Payload) -> bytes:
    """What came back, whole replies one behind the other. Raises DamagedCassette."""
    found = result.get(REPLIES, b"")
    if isinstance(found, (str, bytes)):
        return _raw(found)
    try:
        return b"".join(map(readable.encode, _list(found)))
    except (Unconvertible, RecursionError, AttributeError) as error:
        raise DamagedCassette(WHERE, f"its replies: {error}") from None


def partial_of(result: Payload) -> bytes:
    """The beginning of a reply that broke off. Raises DamagedCassette."""
    return _raw(result.get(PARTIAL, b""))


def values_of(result: Payload) -> list[Value]:
    """The replies in readable form. Raises DamagedCassette."""
    try:
        frames, rest = split(replies_of(result))
    except WireError as error:
        raise DamagedCassette(WHERE, f"its replies: {error}") from None
    if rest:
        raise DamagedCassette(WHERE, "its last reply is not whole")
    return [readable.decode(frame) for frame in frames]


def readable_request(request: Payload) -> Payload:
    """Raises DamagedCassette."""
    if not isinstance(request.get(COMMANDS), bytes):
        return request
    found = commands_of(request)
    if pack(found) != request[COMMANDS]:
        return request
    return {**request, COMMANDS: [[readable.text(word) for word in command] for command in found]}


def readable_result(result: Payload) -> Payload:
    """Raises DamagedCassette."""
    if not isinstance(result.get(REPLIES), bytes):
        return result
    return {**result, REPLIES: values_of(result)}


def _list(value: Value) -> Sequence[Value]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise DamagedCassette(WHERE, "a list is none")
    return value


def _raw(value: Value) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    raise DamagedCassette(WHERE, f"{type(value).__name__} where bytes should be")
