"""What a server said of itself when a connection greeted it: replay shows the client the same topology."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers import numbers
from timetracer_otel.drivers.pymongo.names import LIBRARY

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Tape

HELLO: Final = "hello"
"""Of a connection's parameters."""
GREETING: Final = "_timetracer_hello"
"""Attribute of a connection."""
KEPT: Final = frozenset(
    {
        "setName",
        "hosts",
        "passives",
        "arbiters",
        "primary",
        "me",
        "isWritablePrimary",
        "ismaster",
        "secondary",
        "arbiterOnly",
        "hidden",
        "passive",
        "tags",
        "msg",
        "maxBsonObjectSize",
        "maxMessageSizeBytes",
        "maxWriteBatchSize",
        "logicalSessionTimeoutMinutes",
        "minWireVersion",
        "maxWireVersion",
    }
)
"""Nothing of the handshake's authentication, and nothing that changes with every greeting."""

INTRODUCED: Final = "_timetracer_introduced"
"""Attribute of a connection: its greeting, and the number that its server has by that."""

_numbers: Final[dict[tuple[str, str], int]] = {}
_told: dict[int, Any] = {}
"""By number: the tape that has heard of this server."""


def facts(document: Mapping[str, Any]) -> Payload:
    """What is kept of a hello."""
    return {name: value for name, value in document.items() if name in KEPT and _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(each, str) for each in (*value.keys(), *value.values()))
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, (str, int, bool))


@lru_cache(maxsize=256)
def target(address: Any) -> str:
    """The server without user and database: `mongodb://db0:27017`."""
    host, port = address if isinstance(address, tuple) else (address, None)
    place = f"[{host}]" if ":" in str(host) else str(host)
    return f"mongodb://{place}:{port}" if port is not None else f"mongodb://{place}"


def introduced(connection: Any, active: Tape) -> int:
    """The number of the connection's server; the tape has heard of that then."""
    known: Mapping[str, Value] | None = getattr(connection, GREETING, None)
    greeting, number = getattr(connection, INTRODUCED, (None, None))
    if number is None or greeting is not known:
        number = _number(connection, known or {})
        setattr(connection, INTRODUCED, (known, number))
    if _told.get(number) is not active:
        _told[number] = active
        about = {HELLO: dict(known)} if known else {}
        active.connected(number, LIBRARY, target(connection.address), about)
    return int(number)


def _number(connection: Any, known: Mapping[str, Value]) -> int:
    server = (target(connection.address), repr(known))
    if server not in _numbers:
        _numbers.setdefault(server, next(numbers.connections))
    return _numbers[server]
