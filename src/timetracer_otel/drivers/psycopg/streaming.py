"""What the taps of `stream()` do: rows come one by one, or in chunks.

They are copied, since each is a PGresult of its own, which takes kilobytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from timetracer_otel.drivers.psycopg import endings
from timetracer_otel.drivers.psycopg.flows import Flow
from timetracer_otel.drivers.psycopg.tracking import STREAMING, connections

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult


def began(pgconn: PGconn) -> None:
    """The request is out; its rows will come one by one."""
    tracked = connections.get(pgconn)
    if tracked is not None and tracked.pending is not None:
        tracked.flow, tracked.pending = Flow(tracked.pending, is_stream=True), None


def is_read(pgconn: PGconn) -> bool:
    return _flow(pgconn) is not None


def read(pgconn: PGconn, result: PGresult | None) -> None:
    """Rows, or the result that ends them."""
    flow, tracked = _flow(pgconn), connections.get(pgconn)
    if flow is None or tracked is None:
        return
    if result is None:
        endings.break_off(tracked, endings.LOST)
    elif result.status in STREAMING:
        _add(flow, result)
    else:
        endings.close_flow(tracked, [result], pgconn.transaction_status)


def _add(flow: Flow, result: PGresult) -> None:
    if flow.start is None:
        flow.start = result
    fields = range(result.nfields)
    for row in range(result.ntuples):
        cells = [result.get_value(row, field) for field in fields]
        flow.add(cells, sum([len(cell) for cell in cells if cell is not None]))


def broken(pgconn: PGconn, error: BaseException) -> None:
    tracked = connections.get(pgconn)
    if tracked is not None:
        endings.break_off(tracked, str(error) or type(error).__name__, pgconn.transaction_status)


def _flow(pgconn: PGconn) -> Flow | None:
    tracked = connections.get(pgconn)
    flow = tracked.flow if tracked is not None else None
    return flow if flow is not None and flow.is_stream else None
