"""What the taps do: they pair what an operation sends with what comes back. `protocol` puts each behind the guard.

asyncpg has one operation under way on a connection. The answer to one that timed out or was cancelled comes later,
while the next one waits for it: bytes belong to the operation whose request went out last.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Final, cast

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.asyncpg import endings, introduction, listening
from timetracer_otel.drivers.asyncpg.housework import LEARNS, Housework, housework
from timetracer_otel.drivers.asyncpg.tracking import HELD_MAX, LIBRARY, Kind, Operation, Prepared, Sent, Tracked
from timetracer_otel.wire.postgres.statements import verb

RECORDS_STATE: Final = 3
"""The place of that statement among what `copy_in` is given after its own. Source: asyncpg 0.30, `protocol.pyx`."""

# `protocol` below is asyncpg's Protocol; Any, since it is a C type without annotations of its private names.


def made(protocol: Any, address: Any, parameters: Any) -> None:
    """A connection is about to be made."""
    tracked = protocol._timetracer = introduction.tracked(address, parameters)
    tracked.reported = protocol.get_settings()


# ---- calls -----------------------------------------------------------------------------------------------------------


def preparing(protocol: Any, name: str, query: str, *_: Any, **__: Any) -> Operation | None:
    tracked: Tracked = protocol._timetracer
    prepared = Prepared(query)
    tracked.remember(name, prepared)
    return _coming(tracked, Operation(Kind.PREPARE, prepared, name))


def executing(protocol: Any, state: Any, args: object, portal_name: str = "", *_: Any, **__: Any) -> Operation | None:
    tracked: Tracked = protocol._timetracer
    prepared = tracked.prepared.get(state.name or state.query) or _known(tracked, state)
    if prepared.housework is not None:
        tracked.has_pinged = tracked.has_pinged or prepared.housework is Housework.PING
        return _own(tracked, prepared)
    if introduction.listening(tracked) is None:
        _leave_late(tracked)
        return _own(tracked, prepared)
    operation = tracked.coming = Operation(Kind.PORTAL if portal_name else Kind.STATEMENT, prepared, portal_name)
    return operation


def executing_many(protocol: Any, state: Any, *_: Any, **__: Any) -> Operation | None:
    tracked: Tracked = protocol._timetracer
    return _coming(tracked, Operation(Kind.MANY, _known(tracked, state))) if _is_heard(tracked) else None


def reading_on(protocol: Any, state: Any, portal_name: str, *_: Any, **__: Any) -> Operation | None:
    """The next rows of a portal belong to the exchange that bound it."""
    tracked: Tracked = protocol._timetracer
    operation = tracked.portals.get(portal_name)
    return _coming(tracked, operation) if operation is not None else None


def querying(protocol: Any, query: str, *_: Any, **__: Any) -> Operation | None:
    tracked: Tracked = protocol._timetracer
    if housework(query) is Housework.RESET or not _is_heard(tracked) or _ends_ping(tracked, query):
        return None
    return _coming(tracked, Operation(Kind.STATEMENT, Prepared(query)))


def copying(protocol: Any, statement: str, *others: Any, **__: Any) -> Operation | None:
    tracked: Tracked = protocol._timetracer
    for state in others[RECORDS_STATE:][:1]:
        _keep_columns(tracked, state)
    return _coming(tracked, Operation(Kind.COPY, Prepared(statement))) if _is_heard(tracked) else None


def _keep_columns(tracked: Tracked, state: Any) -> None:
    """asyncpg encodes records by the columns of a statement that it never runs, and prepares once for a connection."""
    active = introduction.listening(tracked)
    prepared = None if state is None else tracked.prepared.get(state.name or state.query)
    if active is None or prepared is None or not prepared.described:
        return
    known = prepared.unrun
    is_here = known is not None and known.segment is not None and known.segment.root_id == active.segment()
    if not is_here:
        endings.keep_described(tracked, prepared)


def closing_portal(protocol: Any, name: str, *_: Any, **__: Any) -> None:
    tracked: Tracked = protocol._timetracer
    if (operation := tracked.portals.pop(name, None)) is not None:
        endings.close(operation)


def closing_statement(protocol: Any, state: Any, *_: Any, **__: Any) -> None:
    protocol._timetracer.forget(state.name or state.query)


def _known(tracked: Tracked, state: Any) -> Prepared:
    prepared = tracked.prepared.get(state.name or state.query)
    return prepared if prepared is not None else Prepared(state.query)  # the codec drops its exchange, which is counted


def _ends_ping(tracked: Tracked, query: str) -> bool:
    """A pool has looked whether the connection lives, in a transaction of its own: that is no work of the app's."""
    active, opening = tape(), tracked.opening
    if opening is None or not tracked.has_pinged or active is None or verb(query) != "ROLLBACK":
        return False
    tracked.opening = None
    active.discard(opening)
    return True


def _is_heard(tracked: Tracked) -> bool:
    """False where nobody records: an answer that comes now is none to an operation of before."""
    if introduction.listening(tracked) is not None:
        return True
    _leave_late(tracked)
    return False


def _own(tracked: Tracked, prepared: Prepared) -> Operation | None:
    is_wanted = prepared.housework in LEARNS or prepared.greeting is not None
    return _coming(tracked, Operation(Kind.OWN, prepared)) if is_wanted else None


def _coming(tracked: Tracked, operation: Operation) -> Operation:
    tracked.coming = operation
    return operation


# ---- bytes -----------------------------------------------------------------------------------------------------------


def saying(protocol: Any, data: Any) -> None:
    """Bytes leave, in the context of the caller."""
    tracked: Tracked = protocol._timetracer
    coming = tracked.coming
    if coming is not None:
        tracked.coming = None
        _begin(protocol, tracked, coming)
    current = tracked.current
    if current is not None:
        size = len(data)
        current.size += size
        if current.size <= HELD_MAX:
            current.said.append(bytes(data))  # the driver uses its buffer again
        else:
            _overfill(current)


def _begin(protocol: Any, tracked: Tracked, operation: Operation) -> None:
    if tracked.current is not None:
        _leave_late(tracked)
    tracked.current, prepared = operation, operation.prepared
    operation.page = len(operation.heard)
    if operation.kind is Kind.PREPARE:
        operation.began_ns = time.time_ns()
        return
    if operation.kind is Kind.OWN or operation.captured is not None:
        return
    active = tape()
    if active is not None:
        number = tracked.transaction_of(protocol, prepared)
        operation.captured = active.open(LIBRARY, Sent(tracked, operation), tracked.number, number)
    if prepared.is_listen:
        listening.asked(tracked)
    tracked.opening, tracked.has_pinged = operation.captured if prepared.begins else None, False
    if operation.captured is None:
        tracked.current = None
    elif prepared.unrun is not None and active is not None:
        active.discard(prepared.unrun)
        prepared.unrun = None


def hearing(protocol: Any, data: bytes) -> None:
    """Bytes have come."""
    tracked: Tracked = protocol._timetracer
    current = tracked.current
    if current is None:
        if tracked.handshake is not None:
            introduction.shakes_hands(tracked, data)
        elif tracked.listens_for is not None:
            listening.heard(tracked, data)
        return
    current.size += len(data)
    if current.size > HELD_MAX:
        _overfill(current)
        return
    current.heard.append(data)
    if current.is_late and current.is_answered:
        tracked.current = None
        endings.end(protocol, tracked, current, failed=True)


def _overfill(operation: Operation) -> None:
    """More than may be held: the exchange stays and says so."""
    operation.is_overfull = True
    operation.said.clear()
    operation.heard.clear()


# ---- ends ------------------------------------------------------------------------------------------------------------


def done(protocol: Any, operation: Operation | None) -> None:
    """The call has returned."""
    tracked: Tracked = protocol._timetracer
    if operation is None or tracked.current is not operation:
        if tracked.coming is operation:
            tracked.coming = None
        return
    tracked.current = None
    endings.end(protocol, tracked, operation)


def failed(protocol: Any, operation: Operation | None, error: BaseException) -> None:
    """The call has raised: by the server's word, because its caller gave up, or because the connection broke."""
    tracked: Tracked = protocol._timetracer
    if operation is None:
        return
    if tracked.coming is operation:  # nothing of it has left
        tracked.coming = None
    if tracked.current is not operation:
        return
    is_said = isinstance(error, _of_server()) and not protocol.is_closed()  # raised once it is ready again
    if is_said or operation.is_overfull or operation.is_answered:
        tracked.current = None
        endings.end(protocol, tracked, operation, failed=True)
    elif protocol.is_closed():
        tracked.current = None
        endings.break_off(protocol, tracked, operation, str(error) or type(error).__name__)
    else:
        operation.is_late = True
        endings.open_unparsed(protocol, tracked, operation)


@cache
def _of_server() -> type[BaseException]:
    from asyncpg import PostgresError

    return cast("type[BaseException]", PostgresError)


def _leave_late(tracked: Tracked) -> None:
    """Whatever is under way gets no further answer."""
    late, tracked.current = tracked.current, None
    if late is not None and late.is_late:
        endings.lose(late, endings.LOST)


def lost(protocol: Any, error: BaseException | None) -> None:
    """The connection is gone. A call that waits is told by asyncpg itself, and ends by that."""
    tracked: Tracked = protocol._timetracer
    if tracked.current is not None and tracked.current.is_late:
        _leave_late(tracked)
    endings.close_portals(tracked)
