"""What a client says when it connects, and whether anybody is there: answered by the stub alone, nothing of it is
recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.redis.housework import OK, synthesised
from timetracer_otel.wire.redis.readable import encode

VERSION: Final = "7.4.0"
UNKNOWN: Final = b"-ERR unknown subcommand\r\n"


def greeted(command: Sequence[bytes], protocol: int) -> bytes:
    """The reply to one command of the handshake."""
    words = [each.upper() for each in command]
    if words[:1] == [b"HELLO"]:
        return hello(int(words[1]) if len(words) > 1 and words[1].isdigit() else protocol)
    if words[:2] == [b"CLIENT", b"MAINT_NOTIFICATIONS"]:
        return UNKNOWN  # nothing moves in replay
    if words[:1] == [b"PING"] and len(command) > 1:
        return encode([b"pong", command[1]] if protocol == 2 else command[1])
    return synthesised(command) or OK


def hello(protocol: int) -> bytes:
    """What a server says of itself."""
    said: dict[str, Value] = {
        "server": "redis",
        "version": VERSION,
        "proto": protocol,
        "id": 1,
        "mode": "standalone",
        "role": "master",
        "modules": [],
    }
    if protocol == 3:
        return encode({"%": [[name, value] for name, value in said.items()]})
    return encode([each for pair in said.items() for each in pair])
