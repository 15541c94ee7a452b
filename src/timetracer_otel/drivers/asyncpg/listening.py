"""LISTEN: notifications that come during a statement belong to it; those that come by themselves are exchanges."""

from __future__ import annotations

from opentelemetry import context

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY, Kind, Operation, Prepared, Received, Sent, Tracked
from timetracer_otel.drivers.postgres.operations import WAIT
from timetracer_otel.wire.postgres.responses import NOTIFICATION, NOTIFICATION_BEGIN, spans


def asked(tracked: Tracked) -> None:
    """LISTEN: remembers for whom the connection listens."""
    tracked.listens_for = context.get_current()


def heard(tracked: Tracked, data: bytes) -> None:
    """The server has said something that nobody waited for: it belongs to whoever asked for it with LISTEN."""
    active, listener = tape(), tracked.listens_for
    if active is None or listener is None or NOTIFICATION_BEGIN not in data:
        return
    if not any(kind == NOTIFICATION for kind, _, _ in spans(data)):
        return
    operation = Operation(Kind.NOTIFY, Prepared(WAIT.decode()))
    token = context.attach(listener)
    try:
        captured = active.open(LIBRARY, Sent(tracked, operation), tracked.number)
        if captured is not None:
            active.close(captured, Received([data]), len(data))
    finally:
        context.detach(token)
