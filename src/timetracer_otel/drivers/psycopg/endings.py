"""How an exchange ends: answered, broken off, of a kind that is not recorded, or as none at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.capture.table import Captured, tape
from timetracer_otel.config import KIB
from timetracer_otel.drivers.psycopg.tracking import (
    ACTIVE,
    COMPLETED,
    COPYING,
    FATAL_ERROR,
    GONE,
    STREAMING,
    Received,
    Sent,
    Tracked,
    text,
)

if TYPE_CHECKING:
    from psycopg.pq import PGnotify
    from psycopg.pq.abc import PGresult

SQLSTATE: Final = ord("C")
SAMPLED_COLUMNS: Final = 16
LOST: Final = "no answer was read"
KEPT_MAX: Final = 64 * KIB
"""Bytes of the statement, or of its values, that stay where the answer does not: they say what was not recorded."""


def close(
    tracked: Tracked,
    captured: Captured,
    results: Sequence[PGresult],
    status: int,
    reported: Mapping[str, bytes] | None = None,
) -> None:
    active = tape()
    notices, tracked.notices = tracked.notices, []
    notifications: Sequence[PGnotify] = ()
    if tracked.notifications:
        notifications, tracked.notifications = tracked.notifications, []
    if active is None:
        return
    reason = None if len(results) == 1 and results[0].status in COMPLETED else _reason_unreadable(results)
    if reason is not None:
        drop(captured, reason)
    elif (error := _own_words(results)) is not None:
        lose(captured, error, status)
    else:
        received = Received(results, status, notices, notifications=notifications, settings=reported)
        active.close(captured, received, _size(captured.request, results))
        if captured.dropped is not None:
            _let_go(captured)


def _reason_unreadable(results: Sequence[PGresult]) -> str | None:
    """COPY among other statements, and what `stream()` left over, are not recorded."""
    statuses = {result.status for result in results}
    return "copy" if statuses & COPYING.keys() else "stream" if statuses & STREAMING else None


def _own_words(results: Sequence[PGresult]) -> str | None:
    """What libpq says when the connection broke; None when the server has answered."""
    if not results:
        return LOST
    last = results[-1]
    is_own = last.status == FATAL_ERROR and last.error_field(SQLSTATE) is None
    return text(last.error_message).strip() if is_own else None


def lose(captured: Captured, error: str, status: int = ACTIVE) -> None:
    """No answer came. Where the connection broke, nothing else is to come, and the exchange is complete."""
    if (active := tape()) is not None:
        active.close(captured, Received((), status, (), error), 0, complete=status == GONE)


def close_flow(tracked: Tracked, results: Sequence[PGresult], status: int) -> None:
    """What passed piece by piece has ended, with these last results."""
    flow, tracked.flow = tracked.flow, None
    notices, tracked.notices = tracked.notices, []
    active = tape()
    if flow is None or active is None:
        return
    flow.release()
    captured, size = flow.captured, flow.size + _size(flow.captured.request, results)
    if flow.is_cut:
        active.close(captured, None, size, dropped="limit")
    else:
        heard = None if flow.is_copy_in else flow
        active.close(captured, Received(results, status, notices, flow=heard), size)
    if captured.dropped is not None:
        flow.cut()
        _let_go(captured)


def break_off(tracked: Tracked, error: str, status: int = ACTIVE) -> None:
    """What passed piece by piece has no end. With a connection that broke, that is its end."""
    flow, tracked.flow = tracked.flow, None
    active = tape()
    if flow is None or active is None:
        return
    flow.release()
    if status == GONE and not flow.is_copy_in and not flow.is_cut:
        active.close(flow.captured, Received((), status, (), error, flow), flow.size)
        return
    flow.cut()
    lose(flow.captured, error)


def drop(captured: Captured, reason: str) -> None:
    if (active := tape()) is not None:
        active.close(captured, None, 0, dropped=reason)
        _let_go(captured)


def _let_go(captured: Captured) -> None:
    """The answer is not kept: a large request must not stay in memory either, as long as the trace goes on."""
    sent = captured.request
    if not isinstance(sent, Sent):
        return
    if sum(len(value) for value in sent.parameters if value is not None) > KEPT_MAX:
        sent.parameters, sent.types, sent.formats = (), (), ()
    if len(sent.statement) > KEPT_MAX:
        sent.statement, sent.parameters, sent.types, sent.formats = b"", (), (), ()


def discard(captured: Captured) -> None:
    if (active := tape()) is not None:
        active.discard(captured)


def _size(sent: Any, results: Sequence[PGresult]) -> int:
    """Bytes, as far as the first and the last row tell: libpq has no cheap way to say it."""
    size = len(sent.statement)
    for value in sent.parameters:
        size += len(value) if value is not None else 0
    for result in results:
        rows = result.ntuples
        if rows == 1:
            size += _row_size(result, 0)
        elif rows:
            size += (_row_size(result, 0) + _row_size(result, rows - 1)) * rows // 2
    return size


def _row_size(result: PGresult, row: int) -> int:
    columns = result.nfields
    sampled = min(columns, SAMPLED_COLUMNS)
    size = 0
    for column in range(sampled):
        value = result.get_value(row, column)
        size += len(value) if value is not None else 0
    return size * columns // sampled if sampled else 0
