"""What the taps do: they pair each request with its answer and put both on the tape, as references.

Outside of pipelines a connection has one request under way. In a pipeline requests and answers are paired by their
position in psycopg's queue of results, which also holds what we do not record. `record` puts each behind the guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.capture import table
from timetracer_otel.capture.table import Captured, Tape, tape
from timetracer_otel.drivers.postgres.greetings import greeting_sent
from timetracer_otel.drivers.psycopg import copying, endings
from timetracer_otel.drivers.psycopg.introduction import changed, greeted, greets, known
from timetracer_otel.drivers.psycopg.tracking import (
    COMMAND,
    COMMAND_OK,
    COPYING,
    DESCRIBE,
    FATAL_ERROR,
    GONE,
    LIBRARY,
    PIPELINE_ABORTED,
    QUERY,
    Pipelined,
    Sent,
    Tracked,
    busy,
    connections,
    diagnostics,
    pipelines,
)

if TYPE_CHECKING:
    from psycopg._pipeline_base import BasePipeline
    from psycopg._queries import PostgresQuery
    from psycopg.pq.abc import PGconn, PGresult

DEALLOCATE: Final = b"DEALLOCATE"
SEVERITY, TRANSLATED_SEVERITY = b"VS"
"""Poolers may give only the second."""
ENDING: Final = (b"FATAL", b"PANIC")
"""After such an error the server closes the connection."""
PINGS: Final = frozenset({b"", b";"})
"""Pools look with an empty statement whether a connection lives, when they hand it out: how often, replay need not
repeat."""


def is_unheard() -> bool:
    """True where nobody records the request that goes out now, nor waits for the answer to one before it.

    Asked before all hooks: what the sampler drops must cost next to nothing.
    """
    return not busy and not table.is_heard()


def is_greeting(query: PostgresQuery) -> bool:
    """An engine's first questions are wanted, whoever records the request."""
    return greeting_sent(query.query, query.params or ()) is not None


# ---- requests --------------------------------------------------------------------------------------------------------
# `cursor` and `connection` below are psycopg's BaseCursor and BaseConnection; Any, since we read their private names.


def executing(cursor: Any, query: PostgresQuery, *, force_extended: bool = False, binary: bool | None = None) -> None:
    """A statement goes out by simple or extended query."""
    if query.query in PINGS:
        _lose_stale(cursor._pgconn)
        return
    _ask(cursor, query, 1 if (cursor.format if binary is None else binary) else 0, None)
    name = greeting_sent(query.query, query.params or ())
    if name is not None and cursor._conn._pipeline is None:
        greets(cursor._pgconn, name)


def executing_merged(
    cursor: Any, query: PostgresQuery, *, force_extended: bool = False, binary: bool | None = None
) -> None:
    """A ClientCursor has put the values into the statement itself; text is all it can get."""
    active = _listening(cursor._pgconn)
    if active is not None:
        tracked = known(cursor._pgconn, active)
        _open(active, cursor._conn, cursor._pgconn, tracked, Sent(tracked, query.query))


def preparing(cursor: Any, name: bytes, query: PostgresQuery) -> None:
    """Parse goes out: the exchange of the statement begins here, since the server may refuse it already."""
    captured = _ask(cursor, query, 0, name, is_run=False)
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
    tracked.begun = None
    begun.request.result_format, begun.request.is_run = result_format, True
    if (pipeline := cursor._conn._pipeline) is not None:
        _wait_in(pipeline, begun)


def commanding(connection: Any, command: Any, result_format: int = 0) -> None:
    """The driver itself sends BEGIN, COMMIT, a savepoint ..."""
    active = _listening(connection.pgconn)
    if active is None:
        return
    if isinstance(command, str):
        command = command.encode(connection.pgconn._encoding)
    elif not isinstance(command, bytes):
        command = command.as_bytes(connection)
    if command.startswith(DEALLOCATE):
        return  # how warm the driver's cache of statements is, replay need not repeat
    pgconn = connection.pgconn
    tracked = known(pgconn, active)
    sent = Sent(tracked, command, result_format=int(result_format), op=COMMAND)
    _open(active, connection, pgconn, tracked, sent)


def describing(cursor: Any) -> None:
    """The columns of a server-side cursor are asked for."""
    active, pgconn = _listening(cursor._pgconn), cursor._pgconn
    if active is None:
        return
    tracked, name = known(pgconn, active), cursor._name.encode(pgconn._encoding)
    sent = Sent(tracked, b'DESCRIBE "' + name.replace(b'"', b'""') + b'"', op=DESCRIBE)
    sent.cursor = tracked.cursors.named(name)
    _open(active, cursor._conn, pgconn, tracked, sent)


def _listening(pgconn: PGconn) -> Tape | None:
    """None where nobody records this request: then no answer that comes now is one to the request before it."""
    active = tape()
    if active is None or active.listens():
        return active
    _lose_stale(pgconn)
    return None


def _lose_stale(pgconn: PGconn) -> None:
    """The answer that comes next is not that to the request before."""
    tracked = connections.get(pgconn)
    if tracked is not None and tracked.pending is not None:
        stale, tracked.pending = tracked.pending, None
        endings.lose(stale, endings.LOST)


def _ask(
    cursor: Any, query: PostgresQuery, result_format: int, prepared: bytes | None, is_run: bool = True
) -> Captured | None:
    pgconn = cursor._pgconn
    active = _listening(pgconn)
    if active is None:
        return None
    tracked = known(pgconn, active)
    parameters = query.params
    if not parameters:
        sent = Sent(tracked, query.query, result_format=result_format, prepared=prepared)
    else:
        # A buffer that can change may be the app's own.
        values = tuple([value if value is None or type(value) is bytes else bytes(value) for value in parameters])
        sent = Sent(tracked, query.query, values, query.types, query.formats or (), result_format, QUERY, prepared)
    sent.is_run = is_run
    return _open(active, cursor._conn, pgconn, tracked, sent)


def _open(active: Tape, connection: Any, pgconn: PGconn, tracked: Tracked, sent: Sent) -> Captured | None:
    transaction = tracked.transaction_of(pgconn.transaction_status, sent.statement)
    if sent.op is not DESCRIBE:
        sent.cursor = tracked.cursors.of(sent.statement)
    captured = active.open(LIBRARY, sent, tracked.number, transaction)
    if connection._pipeline is not None:
        if captured is not None:
            _wait_in(connection._pipeline, captured)
        return captured
    stale, tracked.pending, tracked.is_preparing = tracked.pending, captured, False
    if tracked.flow is not None:
        endings.break_off(tracked, endings.LOST)
    if tracked.notices:  # of a request that broke off
        tracked.notices = []
    if stale is not None:
        endings.lose(stale, endings.LOST)
    return captured


def _wait_in(pipeline: BasePipeline, captured: Captured) -> None:
    pipelined = pipelines.get(pipeline)
    if pipelined is None:
        pipelined = pipelines[pipeline] = Pipelined()
    pipelined.waiting[pipelined.processed + len(pipeline.result_queue)] = captured


# ---- answers ---------------------------------------------------------------------------------------------------------


def is_awaited(pgconn: PGconn) -> bool:
    """A request that is being recorded waits for its answer."""
    tracked = connections.get(pgconn) if busy else None
    return tracked is not None and (tracked.pending is not None or tracked.greeting is not None)


def answered(pgconn: PGconn, results: Sequence[PGresult]) -> None:
    """All results of the request under way have come."""
    tracked = connections.get(pgconn)
    if tracked is not None and tracked.greeting is not None:
        greeted(pgconn, tracked, results)
    if tracked is None or tracked.pending is None:
        return
    if tracked.is_preparing:
        tracked.is_preparing = False
        if results and results[-1].status == COMMAND_OK:
            return
        tracked.begun = None
    captured, tracked.pending = tracked.pending, None
    if len(results) == 1 and results[0].status in COPYING:
        copying.began(tracked, captured, results[0])
        return
    endings.close(tracked, captured, results, pgconn.transaction_status, changed(pgconn, tracked))


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
        if isinstance(captured.request, Sent):
            captured.request.is_run = False
    if results[-1].status == PIPELINE_ABORTED:
        endings.discard(captured)  # the server has skipped it, and will skip it in replay
        return
    if (last := results[-1]).status == FATAL_ERROR:
        severity = last.error_field(SEVERITY) or last.error_field(TRANSLATED_SEVERITY)
        pipelined.is_over = severity in ENDING
    reported = changed(pipeline.pgconn, tracked)
    endings.close(tracked, captured, results, pipeline.pgconn.transaction_status, reported)


def left_pipeline(pipeline: BasePipeline, error: BaseException | None) -> None:
    """The pipeline ends: what has no answer now will get none."""
    if pipeline.level > 1:
        return
    pipelined = pipelines.pop(pipeline, None)
    if pipelined is None:
        return
    reason, status = str(error) if error is not None else endings.LOST, pipeline.pgconn.transaction_status
    # One that is being prepared waits for two answers.
    waiting = list({id(each): each for each in pipelined.waiting.values()}.values())
    for at, captured in enumerate(waiting):
        if pipelined.is_over or (at and status == GONE):
            endings.discard(captured)  # nobody answers after the one that ended it, and nobody will in replay
        else:
            endings.lose(captured, reason, status)


def broken(pgconn: PGconn, error: BaseException) -> None:
    """The driver raised while it waited for the answer."""
    tracked = connections.get(pgconn)
    if tracked is not None:
        tracked.greeting = None
    if tracked is not None and tracked.pending is not None:
        captured, tracked.pending = tracked.pending, None
        endings.lose(captured, str(error) or type(error).__name__, pgconn.transaction_status)


def not_sent(owner: Any) -> None:
    """The driver raised before anything left, as on a closed connection; replay's driver does so by itself."""
    tracked = connections.get(owner._pgconn if hasattr(owner, "_pgconn") else owner.pgconn)
    if tracked is not None:
        tracked.greeting = None
    if tracked is not None and tracked.pending is not None:
        captured, tracked.pending = tracked.pending, None
        endings.discard(captured)


def noticed(reference: Any, result: PGresult) -> None:
    """The server said something aside. Copied at once: libpq frees `result` after the call."""
    connection = reference()
    tracked = connections.get(connection.pgconn) if connection is not None else None
    if tracked is not None and _is_waited_for(connection, tracked):
        tracked.notices.append(diagnostics(result))


def _is_waited_for(connection: Any, tracked: Tracked) -> bool:
    if connection._pipeline is None:
        return tracked.pending is not None
    pipelined = pipelines.get(connection._pipeline)
    return pipelined is not None and bool(pipelined.waiting)
