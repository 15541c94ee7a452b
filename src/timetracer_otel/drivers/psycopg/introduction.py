"""A connection that the taps see for the first time gets a number; the tape learns what its server said of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.postgres import numbers
from timetracer_otel.drivers.postgres.greetings import remember, remembered
from timetracer_otel.drivers.psycopg.tracking import COMPLETED, LIBRARY, Tracked, connections, text
from timetracer_otel.wire.postgres.settings import SHAPING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.pq.abc import PGconn, PGresult

    from timetracer_otel.capture.table import Tape

PARAMETERS: Final = (
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "application_name",
    "client_encoding",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "scram_iterations",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
)
"""What servers report by themselves, up to PostgreSQL 18; libpq cannot list what it was told."""

_SHAPING: Final = tuple(name.encode() for name in SHAPING)


def known(pgconn: PGconn, active: Tape) -> Tracked:
    tracked = connections.get(pgconn)
    if tracked is None or tracked.tape is not active:
        tracked = _introduce(pgconn, tracked, active)
    return tracked


def _introduce(pgconn: PGconn, tracked: Tracked | None, active: Tape, has_changed: bool = False) -> Tracked:
    if tracked is None:
        tracked = connections[pgconn] = Tracked(next(numbers.connections), _target(pgconn), text(pgconn.db))
    tracked.tape = active
    tracked.settings = tuple(map(pgconn.parameter_status, _SHAPING))
    statuses = ((name, pgconn.parameter_status(name.encode())) for name in PARAMETERS)
    active.connected(
        tracked.number,
        LIBRARY,
        tracked.target,
        {
            "parameters": {name: text(value) for name, value in statuses if value is not None},
            "database": tracked.database,
            "user": text(pgconn.user),
            "server_version": pgconn.server_version,
            **remembered(tracked.target),
        },
        has_changed,
    )
    return tracked


def greets(pgconn: PGconn, name: str) -> None:
    """An engine that connects for the first time asks this: the answer is wanted, whoever records the request."""
    if (active := tape()) is not None:
        known(pgconn, active).greeting = name


def greeted(pgconn: PGconn, tracked: Tracked, results: Sequence[PGresult]) -> None:
    """The server has answered."""
    from timetracer_otel.drivers.psycopg.codec import result_of

    name, tracked.greeting, active = tracked.greeting, None, tape()
    if name is None or active is None or not results or results[-1].status not in COMPLETED:
        return
    if remember(tracked.target, name, result_of(results)):
        _introduce(pgconn, tracked, active)


def changed(pgconn: PGconn, tracked: Tracked) -> dict[str, bytes] | None:
    """What the server has reported since the last call; libpq does not say when it does."""
    before, now = tracked.settings, tuple(map(pgconn.parameter_status, _SHAPING))
    if now == before:
        return None
    if tracked.tape is not None:
        _introduce(pgconn, tracked, tracked.tape, has_changed=True)  # which a later request finds so
    found = zip(SHAPING, before, now, strict=True)
    return {name: new for name, old, new in found if new != old and new is not None}


def _target(pgconn: PGconn) -> str:
    """The server as the app named it: `host`, never the address it stood for."""
    host, user, database = text(pgconn.host), quote(text(pgconn.user), safe=""), quote(text(pgconn.db), safe="")
    place = f"[{host}]" if ":" in host and not host.startswith("/") else quote(host, safe="")
    return f"postgresql://{user}@{place}:{text(pgconn.port)}/{database}"
