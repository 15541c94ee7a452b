"""What the taps of COPY do: the data of an exchange passes piece by piece, between its first answer and its last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from timetracer_otel.drivers.psycopg import endings
from timetracer_otel.drivers.psycopg.flows import Flow
from timetracer_otel.drivers.psycopg.tracking import COPY_IN, COPYING, Sent, connections

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

    from timetracer_otel.capture.table import Captured
    from timetracer_otel.drivers.psycopg.tracking import Tracked


def began(tracked: Tracked, captured: Captured, start: PGresult) -> None:
    """The server is ready to give, or to take."""
    sent = captured.request
    if isinstance(sent, Sent):
        sent.op = COPYING[start.status]
        tracked.flow = Flow(captured, start, is_copy_in=sent.op == COPY_IN)
        sent.flow = tracked.flow if sent.op == COPY_IN else None


def is_read(pgconn: PGconn) -> bool:
    """The data of a COPY TO STDOUT that is being recorded is asked for."""
    return _flow(pgconn) is not None


def read(pgconn: PGconn, piece: Any) -> None:
    """A piece has come, or the result that ends COPY."""
    flow = _flow(pgconn)
    if flow is None:
        return
    if isinstance(piece, memoryview):
        flow.add(piece if flow.is_cut else bytes(piece), len(piece))
    else:
        ended(pgconn, piece)


def writing(pgconn: PGconn, buffer: Any, *_: object, **__: object) -> None:
    """The app sends data; what it may change afterwards is copied."""
    if (flow := _flow(pgconn)) is not None:
        flow.add(buffer if flow.is_cut or type(buffer) is bytes else bytes(buffer), len(buffer))


def is_ending(pgconn: PGconn, error: bytes | None = None) -> bool:
    """COPY FROM STDIN ends; `error` if the app gives it up."""
    flow = _flow(pgconn)
    if flow is None:
        return False
    sent = flow.captured.request
    if isinstance(sent, Sent):
        sent.failed = error
    return True


def ended(pgconn: PGconn, result: PGresult) -> None:
    tracked = connections.get(pgconn)
    if tracked is not None:
        endings.close_flow(tracked, [result], pgconn.transaction_status)


def broken(pgconn: PGconn, error: BaseException) -> None:
    """The driver raised: with what the server said, or because it says nothing any more."""
    tracked, result = connections.get(pgconn), getattr(error, "pgresult", None)
    if tracked is None:
        return
    if result is not None:
        endings.close_flow(tracked, [result], pgconn.transaction_status)
    else:
        endings.break_off(tracked, str(error) or type(error).__name__, pgconn.transaction_status)


def _flow(pgconn: PGconn) -> Flow | None:
    tracked = connections.get(pgconn)
    return tracked.flow if tracked is not None else None
