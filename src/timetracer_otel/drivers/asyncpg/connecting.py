"""What the tap of `connect` does: a call that fails is an exchange, `net.connect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.asyncpg.failures import failure_of
from timetracer_otel.drivers.asyncpg.redirect import servers, user_and_database
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY
from timetracer_otel.drivers.counting import Counters
from timetracer_otel.drivers.postgres.connecting import Call, Place, put

_counters: Final = Counters()


def dialling(arguments: Mapping[str, Any]) -> Call | None:
    """The app connects; `arguments` are those of `connect`."""
    active = tape()
    if active is None:
        return None
    place = place_of(arguments)
    return Call(place, _counters.next(active.segment(), place))


def failed(call: Call | None, error: BaseException) -> None:
    """It could not, or has had enough."""
    failure = failure_of(error)
    if call is not None and failure is not None:
        call.failures.append(failure)
        put(LIBRARY, call)


def place_of(arguments: Mapping[str, Any]) -> Place:
    dsn = arguments.get("dsn")
    said = dsn if isinstance(dsn, str) else ""
    host, port = servers(said)
    user, database = user_and_database(said)
    return Place(
        _listed(arguments.get("host")) or host,
        _listed(arguments.get("port")) or port,
        str(arguments.get("user") or user),
        str(arguments.get("database") or database),
    )


def _listed(value: object) -> str:
    """Several servers as libpq writes them."""
    several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return ",".join("" if each is None else str(each) for each in several)
