"""What the taps of LISTEN do: notifications belong to the statement during which they came, or to the wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.psycopg.introduction import known
from timetracer_otel.drivers.psycopg.tracking import LIBRARY, NOTIFY, WAIT, Received, Sent, connections

if TYPE_CHECKING:
    from psycopg.pq import PGnotify
    from psycopg.pq.abc import PGconn

    from timetracer_otel.capture.table import Captured

NOTIFICATIONS_MAX: Final = 1000
"""Of one connection, between two of its statements."""


def notified(reference: Any, notification: PGnotify) -> None:
    """One has come while something else was waited for."""
    connection = reference()
    tracked = connections.get(connection.pgconn) if connection is not None else None
    if tracked is not None and not tracked.is_listening and len(tracked.notifications) < NOTIFICATIONS_MAX:
        tracked.notifications.append(notification)


def waiting(pgconn: PGconn) -> Captured | None:
    """The app waits for notifications."""
    active = tape()
    if active is None or not active.listens():
        return None
    tracked = known(pgconn, active)
    transaction = tracked.transaction_of(pgconn.transaction_status, b"")
    captured = active.open(LIBRARY, Sent(tracked, WAIT, op=NOTIFY), tracked.number, transaction)
    tracked.is_listening = captured is not None
    return captured


def heard(pgconn: PGconn, captured: Captured, notifications: Sequence[PGnotify]) -> None:
    """It waits no longer: for what has come, or because it has had enough."""
    active, tracked = tape(), connections.get(pgconn)
    if active is None or tracked is None:
        return
    tracked.is_listening = False
    received = Received((), pgconn.transaction_status, notifications=notifications)
    active.close(captured, received, sum(len(each.relname) + len(each.extra) for each in notifications))
