"""How an operation ends: answered, broken off, of a kind that is not recorded, or as none at all."""

from __future__ import annotations

from typing import Any, Final

from timetracer_otel.capture.table import tape
from timetracer_otel.config import KIB
from timetracer_otel.drivers.asyncpg import introduction
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY, Kind, Operation, Prepared, Received, Sent, Tracked
from timetracer_otel.wire.postgres.messages import BIND_COMPLETE, NO_DATA, PORTAL_SUSPENDED
from timetracer_otel.wire.postgres.responses import ERROR, ERROR_BEGIN, spans

LOST: Final = "no answer was read"
KEPT_MAX: Final = 64 * KIB
"""Bytes of what was sent that stay where the answer does not: they say what was not recorded."""
BIND: Final = b"B"
PARSED: Final = ord("1")
HEADER_SIZE: Final = 5
UNDO: Final = b"\0ROLLBACK\0"
"""Parse of a statement without a name, after its header."""
ROLLBACK: Final = "ROLLBACK"
READY_SIZE, SHORT = 6, 5
UNFINISHED: Final = (BIND_COMPLETE, PORTAL_SUSPENDED)
"""How the answer ends while a portal has rows left."""


def end(protocol: Any, tracked: Tracked, operation: Operation, failed: bool = False) -> None:
    """The answer is whole."""
    if operation.prepared.greeting is not None and operation.kind in (Kind.STATEMENT, Kind.OWN):
        introduction.greeted(tracked, operation)
    if operation.kind in (Kind.STATEMENT, Kind.COPY):
        close(operation)
        # It has ended. Each would refer to the other, and the answer would stay until garbage is collected.
        operation.captured = None
    elif operation.kind is Kind.PREPARE:
        _prepared(protocol, tracked, operation, failed)
    elif operation.kind is Kind.MANY:
        _close_many(tracked, operation)
    elif operation.kind is Kind.PORTAL:
        _read_on(tracked, operation, failed)
    elif operation.heard and operation.prepared.housework is not None:
        introduction.learn(tracked, operation)
    if tracked.portals and not protocol.is_in_transaction():
        close_portals(tracked)


def close(operation: Operation) -> None:
    captured, active = operation.captured, tape()
    if captured is None or active is None:
        return
    if operation.is_overfull:
        drop(operation, "limit")
        return
    active.close(captured, Received(operation.heard), operation.size)
    if captured.dropped is not None:
        _let_go(operation)


def break_off(protocol: Any, tracked: Tracked, operation: Operation, error: str) -> None:
    """The connection has broken: the server may have said why."""
    heard = b"".join(operation.heard)
    if ERROR_BEGIN in heard and any(kind == ERROR for kind, _, _ in spans(heard)):
        end(protocol, tracked, operation, failed=True)
    else:
        open_unparsed(protocol, tracked, operation)
        lose(operation, error, is_gone=True)


def lose(operation: Operation, error: str, is_gone: bool = False) -> None:
    """No whole answer came; `error` is what the driver raised. Where the connection broke, nothing else is to come, and
    the exchange is complete."""
    captured, active = operation.captured, tape()
    if captured is not None and active is not None:
        active.close(captured, Received([], error), 0, complete=is_gone)


def drop(operation: Operation, reason: str) -> None:
    captured, active = operation.captured, tape()
    if captured is not None and active is not None:
        active.close(captured, None, operation.size, dropped=reason)
        _let_go(operation)


def _let_go(operation: Operation) -> None:
    """A large request must not stay in memory, as long as the trace goes on."""
    operation.heard.clear()
    if sum(len(chunk) for chunk in operation.said) > KEPT_MAX:
        operation.said.clear()


# ---- statements that are prepared ------------------------------------------------------------------------------------


def _prepared(protocol: Any, tracked: Tracked, operation: Operation, failed: bool) -> None:
    """Its answer is kept as what is known of the statement; a refusal by the server is an exchange."""
    prepared = operation.prepared
    if not failed:
        prepared.described = operation.heard
        if prepared.housework is None:
            keep_described(tracked, prepared)  # in most cases it is gone at once
        return
    tracked.forget(operation.portal or prepared.sql)
    if not operation.is_late:  # else whoever asked has gone, and with it the span
        open_unparsed(protocol, tracked, operation)
    close(operation)


def keep_described(tracked: Tracked, prepared: Prepared) -> None:
    """An exchange of this trace says how the server described the statement, though it is not run."""
    active = introduction.listening(tracked)
    if active is None:
        return
    operation = Operation(Kind.PREPARE, prepared)
    operation.heard = prepared.described
    prepared.unrun = active.open(LIBRARY, Sent(tracked, operation), tracked.number)
    if prepared.unrun is not None:
        active.close(prepared.unrun, Received(operation.heard), 0)


def open_unparsed(protocol: Any, tracked: Tracked, operation: Operation) -> None:
    """Parse is as far as the statement comes. Called while whoever asked is still there, and with it the span."""
    if operation.kind is not Kind.PREPARE or operation.captured or operation.prepared.housework is not None:
        return
    active = introduction.listening(tracked)
    if active is None:
        return
    number = tracked.transaction_of(protocol, operation.prepared)
    operation.captured = active.open(LIBRARY, Sent(tracked, operation), tracked.number, number)
    if operation.captured is not None:
        operation.captured.opened_ns = operation.began_ns


# ---- executemany -----------------------------------------------------------------------------------------------------


def _close_many(tracked: Tracked, operation: Operation) -> None:
    """One exchange of all that was asked; none where there was nothing to ask."""
    captured, active = operation.captured, tape()
    if captured is None or active is None:
        return
    if operation.is_late and not operation.is_overfull:
        lose(operation, LOST)
        return
    undone = _rolled_back(operation)
    if operation.is_overfull or any(chunk.startswith(BIND) for chunk in operation.said):
        close(operation)
    else:
        active.discard(captured)
    if undone is not None:
        undone.captured = active.open(LIBRARY, Sent(tracked, undone), tracked.number, captured.transaction)
        close(undone)


def _rolled_back(operation: Operation) -> Operation | None:
    """A statement of its own: asyncpg has found a value that it cannot send, and takes back what it sent before."""
    at = next((at for at, chunk in enumerate(operation.said) if chunk.startswith(UNDO, HEADER_SIZE)), None)
    if at is None:
        return None
    heard = b"".join(operation.heard)
    start = max((start for kind, start, _ in spans(heard) if kind == PARSED), default=None)
    undone = Operation(Kind.STATEMENT, Prepared(ROLLBACK))
    undone.prepared.described = [NO_DATA]
    undone.said, operation.said = operation.said[at:], operation.said[:at]
    if start is None:  # the server had refused an execution before, and passed over this
        return None
    undone.heard, operation.heard = [heard[start:]], [heard[:start]]
    return undone


# ---- portals ---------------------------------------------------------------------------------------------------------


def _read_on(tracked: Tracked, operation: Operation, failed: bool) -> None:
    """A portal stays open until the server has given its last row."""
    if failed or operation.is_overfull or _before_ready(operation) not in UNFINISHED:
        tracked.portals.pop(operation.portal, None)
        close(operation)
    else:
        tracked.portals[operation.portal] = operation


def _before_ready(operation: Operation) -> bytes:
    """The message before ReadyForQuery, if it is a short one: to walk over all rows would cost by the row."""
    return b"".join(operation.heard[-3:])[-READY_SIZE - SHORT : -READY_SIZE]


def close_portals(tracked: Tracked) -> None:
    """Portals end with their transaction: what was not read of them by now will not be."""
    portals, tracked.portals = tracked.portals, {}
    for operation in portals.values():
        close(operation)
