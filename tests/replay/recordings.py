"""Recordings made by hand, and a driver of three lines that turns them into questions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence

from timetracer_otel.cassette.model import (
    Cassette,
    Entry,
    Exchange,
    Generated,
    Payload,
    Process,
    Segment,
    Signature,
    Span,
    Value,
)
from timetracer_otel.drivers.base import Asked, Question, Slot
from timetracer_otel.replay.draws import Draws
from timetracer_otel.replay.given import Given
from timetracer_otel.replay.instants import Window, window
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.library import Library, Recorded
from timetracer_otel.replay.local import Here, Local
from timetracer_otel.replay.machine import Machine
from timetracer_otel.replay.origin import Origins, ReadingOf
from timetracer_otel.replay.reads import Reads
from timetracer_otel.replay.session import Session
from timetracer_otel.replay.traces import Made, Traces

START_NS = 1_790_000_000_000_000_000
END_NS = START_NS + 500_000_000
TRACE = "7f3a" + "0" * 28
RECORDER = Process("a" * 32)
ROOT = "52fd" + "0" * 12
LIB = "psycopg"
HOST, PID = "web-7f9c", 4711
"""Of the recorded process."""


def exchange(
    number: int,
    statement: str = "SELECT total FROM orders WHERE id = $1",
    parameters: Sequence[Value] = ("42",),
    answer: Value = 1,
    *,
    at_ns: int | None = None,
    duration_ns: int = 1000,
    span_id: str | None = ROOT,
    connection: int | None = None,
    transaction: int | None = None,
    complete: bool = True,
    dropped: Payload | None = None,
    redacted: tuple[str, ...] = (),
    database: str = "shop",
) -> Exchange:
    return Exchange(
        id=f"p-{number}",
        type="db.query",
        signature=Signature(LIB, statement.split(maxsplit=1)[0], database),
        request={"statement": statement, "parameters": list(parameters)},
        result={"answer": answer},
        span_id=span_id,
        connection=connection,
        transaction=transaction,
        at_ns=number * 10_000 if at_ns is None else at_ns,
        duration_ns=duration_ns,
        complete=complete,
        dropped=dropped,
        redacted=redacted,
    )


def asked(
    statement: str = "SELECT total FROM orders WHERE id = $1",
    parameters: Sequence[Value] = ("42",),
    *,
    instants: Sequence[int | None] = (),
    database: str = "shop",
) -> Question:
    slots = tuple(
        Slot(
            path=f"parameters[{n}]",
            key=(type(value).__name__, value if not isinstance(value, list) else tuple(value)),
            shown=value,
            text=value if isinstance(value, str) else None,
            instant_ns=instants[n] if n < len(instants) else None,
        )
        for n, value in enumerate(parameters)
    )
    return Question(LIB, statement.split(maxsplit=1)[0], database, statement, statement, slots, database)


def question_of(recorded: Exchange) -> Question:
    statement, parameters = recorded.request["statement"], recorded.request["parameters"]
    assert isinstance(statement, str)
    assert isinstance(parameters, list)
    return asked(statement, parameters, database=recorded.signature.url)


def session(
    *exchanges: Exchange,
    spans: Iterable[Span] = (),
    is_environment: bool = False,
    ids: Iterable[str] = (),
    replayed: Window | None = None,
    reads: Iterable[int] = (),
    draws: Iterable[object] = (),
    made: Made | None = None,
    sent: Value = None,
    question: Callable[[Exchange], Question] = question_of,
) -> tuple[Session, MemoryJournal]:
    spans = tuple(spans)
    journal = MemoryJournal()
    limits = window(START_NS, END_NS)
    recorded = Recorded("shop", exchanges, (), spans, ROOT, is_environment)
    drawn = Draws()
    for each in draws:
        drawn.note(each)
    here = Here(drawn, made or Made())
    traces = Traces(TRACE, ROOT, [(each.span_id, each.name) for each in spans], here.made)
    machine = Machine(Process("p", host=HOST, pid=PID))
    local = Local(here, Given(sent, exchanges), machine, traces, ids)
    origins = Origins(ids, limits, lambda: replayed or limits, reading_of(reads), local)
    return Session(recorded, Library(exchanges, question), origins, journal), journal


def reading_of(reads: Iterable[int]) -> ReadingOf:
    """Of a clock that the application read at these nanoseconds."""
    log = Reads()
    for each in reads:
        log.note(each, sys._getframe())
    return log.explain


def by(connection: int | None = None, transaction: int | None = None, path: tuple[str, ...] = ("GET",)) -> Asked:
    return Asked("shop/orders.py:31 load_order", "GET /orders/{id}", path, connection, transaction)


def span(span_id: str, name: str, parent: str | None = None) -> Span:
    return Span(span_id, name, "INTERNAL", START_NS, END_NS, parent)


def segment(
    *exchanges: Exchange,
    complete: bool = True,
    has_root: bool = True,
    generated: tuple[Generated, ...] = (),
    dropped: dict[str, int] | None = None,
    app: str | None = None,
    process: Process = RECORDER,
) -> Segment:
    return Segment(
        trace_id=TRACE,
        id=ROOT,
        process=process,
        complete=complete,
        spans=(span(ROOT, "GET /orders/{id}"),) if has_root else (),
        exchanges=exchanges,
        entry=Entry("http.server", "GET /orders/{id}", "500 KeyError: 'total'", app),
        generated=generated,
        dropped=dropped or {},
    )


def cassette(*segments: Segment) -> Cassette:
    return Cassette(TRACE, segments, path="cassettes/7f3a")
