"""What the taps do: they join a span of the instrumentor with the bytes of its command. `record` guards each.

started -> sending -> receiving -> succeeded or failed run in one context, so that a context variable joins them.
Commands that the driver keeps from its listeners (hello, the first step of authentication) are never under way here;
those that it empties for them (SCRAM, createUser) are left out.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.pymongo import adoption, servers
from timetracer_otel.drivers.pymongo.names import LIBRARY, SENSITIVE
from timetracer_otel.drivers.pymongo.tracking import NESTED_MAX, Attempt, Sent, current, depth
from timetracer_otel.drivers.pymongo.transactions import Transactions

EXHAUST: Final = 0
"""The request id of what comes without being asked for: the next batch of an exhaust cursor."""
EXHAUSTED: Final = "_timetracer_exhausted"
"""Attribute of a connection: the command whose cursor the server goes on to send."""

_transactions: Final = Transactions()


def started(event: Any, span: Any) -> None:
    """A command is about to be sent; `span` is the instrumentor's, None where it makes none."""
    active = tape()
    if active is None or not active.listens() or event.command_name.lower() in SENSITIVE or not event.command:
        return
    span_id = span.get_span_context().span_id if span is not None and span.is_recording() else None
    outer = current.get()
    if depth(outer) > NESTED_MAX:
        outer = None
    current.set(
        Attempt(
            event.request_id,
            event.command_name,
            event.database_name,
            event.connection_id,
            span_id,
            outer,
            _transactions.of_event(event.command),
        )
    )


def sending(connection: Any, message: Any) -> None:
    """Bytes leave."""
    attempt = current.get()
    if attempt is None or request_id_of(message) != attempt.request_id:
        adoption.look_at(connection)
        return
    if attempt.captured is not None:
        return
    active = tape()
    if active is None:
        return
    message = message if isinstance(message, bytes) else bytes(message)
    where = servers.target(attempt.address or connection.address)
    sent = Sent(message, attempt.database, attempt.name, where, _process())
    captured = active.open(LIBRARY, sent, servers.introduced(connection, active), attempt.transaction)
    if captured is not None and captured.segment is not None and attempt.span_id is not None:
        captured.span_id = attempt.span_id
    attempt.captured, attempt.size = captured, len(message)


def received(connection: Any, request_id: int | None, reply: Any) -> None:
    """The whole answer to a command has come, or the next one of an exhaust cursor."""
    attempt = current.get()
    if attempt is None or (request_id or EXHAUST) != attempt.request_id:
        return
    is_further = attempt.request_id == EXHAUST
    owner: Attempt | None = getattr(connection, EXHAUSTED, None) if is_further else attempt
    if owner is None or owner.captured is None:
        return
    document = reply.raw_command_response()
    owner.received.replies.append(document)
    owner.size += len(document)
    if reply.more_to_come or is_further:
        setattr(connection, EXHAUSTED, owner if reply.more_to_come else None)
    if is_further and reply.more_to_come:
        _grow(owner)
    elif is_further:
        _close(owner)


def succeeded(event: Any) -> None:
    attempt = _ended(event)
    if attempt is not None:
        attempt.received.is_unacknowledged = not attempt.received.replies
        _close(attempt)


def failed(event: Any) -> None:
    """By the server's word; or no reply has come."""
    attempt = _ended(event)
    if attempt is not None:
        if not attempt.received.replies:
            attempt.received.lost = str(event.failure.get("errmsg", "")) or "no reply"
        _close(attempt)


def greeted(connection: Any, said: Any) -> None:
    """A server has said what it is."""
    setattr(connection, servers.GREETING, servers.facts(said.document))


def request_id_of(message: Any) -> int:
    """Of a message's header."""
    return int.from_bytes(message[4:8], "little", signed=True)


def _ended(event: Any) -> Attempt | None:
    attempt = current.get()
    if attempt is None or attempt.request_id != event.request_id:
        return None
    current.set(attempt.outer)
    return attempt


def _close(attempt: Attempt) -> None:
    active = tape()
    if attempt.captured is not None and active is not None:
        active.close(attempt.captured, attempt.received, attempt.size)


def _grow(attempt: Attempt) -> None:
    active = tape()
    if attempt.captured is not None and active is not None:
        active.grown(attempt.captured, attempt.size)


def _process() -> bytes:
    return bytes(_object_id()._random())


@cache
def _object_id() -> Any:
    from bson.objectid import ObjectId

    return ObjectId
