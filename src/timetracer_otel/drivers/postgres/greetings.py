"""What SQLAlchemy asks the server when an engine connects for the first time: facts of the server, not of a request.

An engine that was warm when a request was recorded is cold in replay, and asks again in the middle of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from timetracer_otel.cassette.model import Connection, Payload
from timetracer_otel.wire.postgres.statements import normalise

FIELD: Final = "greetings"
"""Of a connection's parameters: results by statement."""
# Source: SQLAlchemy 2.0 and 2.1, dialects/postgresql/base.py (`PGDialect.initialize`).
GREETINGS: Final = frozenset(
    {
        "select pg_catalog.version()",
        "select current_schema()",
        "show standard_conforming_strings",
        "show transaction isolation level",
    }
)


def greeting(sql: str) -> str | None:
    """`sql` as it stands in the cassette; None if it is no greeting."""
    if len(sql) > 100:
        return None
    plain = normalise(sql)
    return plain if plain in GREETINGS else None


def recorded_greeting(sql: str, connections: Iterable[Connection]) -> Payload | None:
    """What a recorded server answered to it."""
    name = greeting(sql)
    if name is None:
        return None
    for connection in connections:
        found = connection.parameters.get(FIELD)
        result = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(result, Mapping):
            return result
    return None
