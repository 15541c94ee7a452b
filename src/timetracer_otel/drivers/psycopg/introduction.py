"""A connection that the taps see for the first time gets a number; the tape learns what its server said of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from timetracer_otel.drivers.postgres import numbers
from timetracer_otel.drivers.psycopg.tracking import LIBRARY, Tracked, connections, text

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

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


def known(pgconn: PGconn, active: Tape) -> Tracked:
    tracked = connections.get(pgconn)
    if tracked is None or tracked.tape is not active:
        tracked = _introduce(pgconn, tracked, active)
    return tracked


def _introduce(pgconn: PGconn, tracked: Tracked | None, active: Tape) -> Tracked:
    if tracked is None:
        tracked = connections[pgconn] = Tracked(next(numbers.connections), _target(pgconn), text(pgconn.db))
    tracked.tape = active
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
        },
    )
    return tracked


def _target(pgconn: PGconn) -> str:
    """The server as the app named it: `host`, never the address it stood for."""
    host, user, database = text(pgconn.host), quote(text(pgconn.user), safe=""), quote(text(pgconn.db), safe="")
    place = f"[{host}]" if ":" in host and not host.startswith("/") else quote(host, safe="")
    return f"postgresql://{user}@{place}:{text(pgconn.port)}/{database}"
