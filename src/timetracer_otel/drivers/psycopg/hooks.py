"""What the taps do: they pair each request with its answer and put both on the tape, as references.

Outside of pipelines a connection has one request under way. In a pipeline requests and answers are paired by their
position in psycopg's queue of results, which also holds what we do not record. `record` puts each behind the guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from timetracer_otel.capture.table import Captured, Tape, tape
from timetracer_otel.drivers.psycopg.tracking import (
    ACTIVE,
    COMMAND_OK,
    COMPLETED,
    COPYING,
    FATAL_ERROR,
    PIPELINE_ABORTED,
    STREAMING,
    Pipelined,
    Received,
    Sent,
    Tracked,
    connections,
    diagnostics,
    numbers,
    pipelines,
)

if TYPE_CHECKING:
    from psycopg._pipeline_base import BasePipeline
    from psycopg._queries import PostgresQuery
    from psycopg.pq.abc import PGconn, PGresult

LIBRARY: Final = "psycopg"
DEALLOCATE: Final = b"DEALLOCATE"
SQLSTATE: Final = ord("C")
SAMPLED_COLUMNS: Final = 16
LOST: Final = "no answer was read"
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

# ---- requests --------------------------------------------------------------------------------------------------------
# `cursor` and `connection` below are psycopg's BaseCursor and BaseConnection; Any, since we read their private names.


def executing(cursor: Any, query: PostgresQuery, *, force_extended: bool = False, binary: bool | None = None) -> None:
    """A statement goes out by simple or extended query."""
    _ask(cursor, query, 1 if (cursor.format if binary is None else binary) else 0, None)


def executing_merged(
    cursor: Any, query: PostgresQuery, *, force_extended: bool = False, binary: bool | None = None
) -> None:
    """A ClientCursor has put the values into the statement itself; text is all it can get."""
    active = tape()
    if active is not None:
        tracked = _tracked(cursor._pgconn, active)
        _open(active, cursor._conn, cursor._pgconn, tracked, Sent(tracked, query.query))


def preparing(cursor: Any, name: bytes, query: PostgresQuery) -> None:
    """Parse goes out: the exchange of the statement begins here, since the server may refuse it already."""
    captured = _ask(cursor, query, 0, name)
    if captured is not None:
        tracked = connections[cursor._pgconn]
        tracked.begun, tracked.is_preparing = captured, cursor._conn._pipeline is None


def executing_prepared(cursor: Any, name: bytes, query: PostgresQuery, *, binary: bool | None = None) -> None:
    """A prepared statement is run; where it was prepared just before, that exchange goes on."""
    result_format = 1 if (cursor.format if binary is None else binary) else 0
    tracked = connections.get(cursor._pgconn)
    begun = tracked.begun if tracked is not None else None
    if tracked is None or begun is None or not isinstance(begun.request, Sent) or begun.request.prepared != name:
        _ask(cursor, query, result_format, name)
        return
    tracked.begun, begun.request.result_format = None, result_format
    if (pipeline := cursor._conn._pipeline) is not None:
        _wait_in(pipeline, begun)


def commanding(connection: Any, command: Any, result_format: int = 0) -> None:
    """The driver itself sends BEGIN, COMMIT, a savepoint ..."""
    active = tape()
    if active is None:
        return
    if isinstance(command, str):
        command = command.encode(connection.pgconn._encoding)
    elif not isinstance(command, bytes):
        command = command.as_bytes(connection)
    if command.startswith(DEALLOCATE):
        return  # how warm the driver's cache of statements is, replay need not repeat
    pgconn = connection.pgconn
    tracked = _tracked(pgconn, active)
    sent = Sent(tracked, command, result_format=int(result_format), is_command=True)
    _open(active, connection, pgconn, tracked, sent)


def _ask(cursor: Any, query: PostgresQuery, result_format: int, prepared: bytes | None) -> Captured | None:
    active = tape()
    if active is None:
        return None
    pgconn = cursor._pgconn
    tracked = _tracked(pgconn, active)
    parameters = query.params
    if not parameters:
        sent = Sent(tracked, query.query, result_format=result_format, prepared=prepared)
    else:
        # executemany fills one list again and again, and a bytearray may be the app's own.
        values = tuple([value if value is None or type(value) is bytes else bytes(value) for value in parameters])
        sent = Sent(tracked, query.query, values, query.types, query.formats or (), result_format, False, prepared)
    return _open(active, cursor._conn, pgconn, tracked, sent)


def _open(active: Tape, connection: Any, pgconn: PGconn, tracked: Tracked, sent: Sent) -> Captured | None:
    transaction = tracked.transaction_of(pgconn.transaction_status, sent.statement)
    captured = active.open(LIBRARY, sent, tracked.number, transaction)
    if connection._pipeline is not None:
        if captured is not None:
            _wait_in(connection._pipeline, captured)
        return captured
    stale, tracked.pending, tracked.is_preparing = tracked.pending, captured, False
    if stale is not None:
        _lose(stale, LOST)
    return captured


def _tracked(pgconn: PGconn, active: Tape) -> Tracked:
    tracked = connections.get(pgconn)
    if tracked is None or tracked.tape is not active:
        tracked = _introduce(pgconn, tracked, active)
    return tracked


def _introduce(pgconn: PGconn, tracked: Tracked | None, active: Tape) -> Tracked:
    if tracked is None:
        tracked = connections[pgconn] = Tracked(next(numbers), _target(pgconn), _text(pgconn.db))
    tracked.tape = active
    statuses = ((name, pgconn.parameter_status(name.encode())) for name in PARAMETERS)
    active.connected(
        tracked.number,
        LIBRARY,
        tracked.target,
        {
            "parameters": {name: _text(value) for name, value in statuses if value is not None},
            "database": tracked.database,
            "user": _text(pgconn.user),
            "server_version": pgconn.server_version,
        },
    )
    return tracked


def _target(pgconn: PGconn) -> str:
    """The server as the app named it: `host`, never the address it stood for."""
    host, user, database = _text(pgconn.host), quote(_text(pgconn.user), safe=""), quote(_text(pgconn.db), safe="")
    place = f"[{host}]" if ":" in host and not host.startswith("/") else quote(host, safe="")
    return f"postgresql://{user}@{place}:{_text(pgconn.port)}/{database}"


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "surrogateescape")


def _wait_in(pipeline: BasePipeline, captured: Captured) -> None:
    pipelined = pipelines.get(pipeline)
    if pipelined is None:
        pipelined = pipelines[pipeline] = Pipelined()
    pipelined.waiting[pipelined.processed + len(pipeline.result_queue)] = captured


# ---- answers ---------------------------------------------------------------------------------------------------------


def answered(pgconn: PGconn, results: Sequence[PGresult]) -> None:
    """All results of the request under way have come."""
    tracked = connections.get(pgconn)
    if tracked is None or tracked.pending is None:
        return
    if tracked.is_preparing:
        tracked.is_preparing = False
        if results and results[-1].status == COMMAND_OK:
            return
        tracked.begun = None
    captured, tracked.pending = tracked.pending, None
    _close(tracked, captured, results, pgconn.transaction_status)


def answered_in_pipeline(pipeline: BasePipeline, queued: object, results: Sequence[PGresult]) -> None:
    """The next entry of the pipeline's queue has its results."""
    pipelined = pipelines.get(pipeline)
    if pipelined is None:
        return
    position, pipelined.processed = pipelined.processed, pipelined.processed + 1
    captured = pipelined.waiting.pop(position, None)
    tracked = connections.get(pipeline.pgconn)
    if captured is None or tracked is None:
        return
    begun = pipelined.waiting.get(position + 1)
    if begun is captured:  # this is the answer to Parse
        if results[-1].status == COMMAND_OK:
            return
        del pipelined.waiting[position + 1]
    if results[-1].status == PIPELINE_ABORTED:
        _discard(captured)  # the server has skipped it, and will skip it in replay
        return
    _close(tracked, captured, results, pipeline.pgconn.transaction_status)


def left_pipeline(pipeline: BasePipeline, error: BaseException | None) -> None:
    """The pipeline ends: what has no answer now will get none."""
    if pipeline.level > 1:
        return
    pipelined = pipelines.pop(pipeline, None)
    for captured in {id(each): each for each in pipelined.waiting.values()}.values() if pipelined is not None else ():
        _lose(captured, str(error) if error is not None else LOST)


def broken(pgconn: PGconn, error: BaseException) -> None:
    """The driver raised while it waited for the answer."""
    tracked = connections.get(pgconn)
    if tracked is not None and tracked.pending is not None:
        captured, tracked.pending = tracked.pending, None
        _lose(captured, str(error) or type(error).__name__)


def not_sent(owner: Any) -> None:
    """The driver raised before anything left, as on a closed connection; replay's driver does so by itself."""
    tracked = connections.get(owner._pgconn if hasattr(owner, "_pgconn") else owner.pgconn)
    if tracked is not None and tracked.pending is not None:
        captured, tracked.pending = tracked.pending, None
        _discard(captured)


def streaming(pgconn: PGconn) -> None:
    """The rows of this request come one by one: `stream()` is not recorded."""
    tracked = connections.get(pgconn)
    if tracked is not None and tracked.pending is not None:
        captured, tracked.pending = tracked.pending, None
        _drop(captured, "stream")


def noticed(reference: Any, result: PGresult) -> None:
    """The server said something aside. Copied at once: libpq frees `result` after the call."""
    connection = reference()
    tracked = connections.get(connection.pgconn) if connection is not None else None
    if tracked is not None and (tracked.pending is not None or connection._pipeline is not None):
        tracked.notices.append(diagnostics(result))


def _close(tracked: Tracked, captured: Captured, results: Sequence[PGresult], status: int) -> None:
    active = tape()
    notices, tracked.notices = tracked.notices, []
    if active is None:
        return
    reason = None if len(results) == 1 and results[0].status in COMPLETED else _reason_unreadable(results)
    if reason is not None:
        _drop(captured, reason)
    elif (error := _own_words(results)) is not None:
        _lose(captured, error)
    else:
        active.close(captured, Received(results, status, notices), _size(captured.request, results))


def _reason_unreadable(results: Sequence[PGresult]) -> str | None:
    """COPY, and what `stream()` left over, are not recorded."""
    statuses = {result.status for result in results}
    return "copy" if statuses & COPYING else "stream" if statuses & STREAMING else None


def _own_words(results: Sequence[PGresult]) -> str | None:
    """What libpq says when the connection broke; None when the server has answered."""
    if not results:
        return LOST
    last = results[-1]
    is_own = last.status == FATAL_ERROR and last.error_field(SQLSTATE) is None
    return _text(last.error_message).strip() if is_own else None


def _lose(captured: Captured, error: str) -> None:
    if (active := tape()) is not None:
        active.close(captured, Received((), ACTIVE, (), error), 0, complete=False)


def _drop(captured: Captured, reason: str) -> None:
    if (active := tape()) is not None:
        active.close(captured, None, 0, dropped=reason)


def _discard(captured: Captured) -> None:
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
