"""LISTEN: notifications that come during a statement belong to it; those that come by themselves are counted only.

Nobody waits for the latter in a way that replay could see, so that it would not know when to send them.
"""

from __future__ import annotations

from typing import Final

from opentelemetry import context

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY, Kind, Operation, Prepared, Sent, Tracked
from timetracer_otel.drivers.postgres.operations import WAIT
from timetracer_otel.wire.postgres.responses import NOTIFICATION, spans

LOST: Final = "notify"


def asked(tracked: Tracked, operation: Operation) -> None:
    """Remembers for whom the connection listens."""
    if operation.prepared.sql.lstrip()[:6].upper() == "LISTEN":
        tracked.listens_for = context.get_current()


def heard(tracked: Tracked, data: bytes) -> None:
    """The server has said something that nobody asked for."""
    active, listener = tape(), tracked.listens_for
    if active is None or listener is None or not any(kind == NOTIFICATION for kind, _, _ in spans(data)):
        return
    token = context.attach(listener)
    try:
        captured = active.open(LIBRARY, Sent(tracked, Operation(Kind.OWN, Prepared(WAIT.decode()))), tracked.number)
        if captured is not None:
            active.close(captured, None, len(data), dropped=LOST)
    finally:
        context.detach(token)
