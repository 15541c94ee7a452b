"""What a server said of itself when a connection greeted it: replay shows the client the same topology."""

from __future__ import annotations

from collections.abc import Mapping
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


def target(address: Any) -> str:
    """The server without user and database: `mongodb://db0:27017`."""
    host, port = address if isinstance(address, tuple) else (address, None)
    place = f"[{host}]" if ":" in str(host) else str(host)
    return f"mongodb://{place}:{port}" if port is not None else f"mongodb://{place}"


def introduced(connection: Any, active: Tape) -> int:
    """The number of the connection's server; the tape has heard of that then."""
    known: Mapping[str, Value] = getattr(connection, GREETING, None) or {}
    where = target(connection.address)
    number = _numbers.get((where, repr(known)))
    if number is None:
        number = _numbers.setdefault((where, repr(known)), next(numbers.connections))
    if _told.get(number) is not active:
        _told[number] = active
        active.connected(number, LIBRARY, where, {HELLO: dict(known)} if known else {})
    return number
