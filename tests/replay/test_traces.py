"""What a session makes of the ids of its trace, which every run has others of."""

from __future__ import annotations

import os
import socket

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator

from tests.replay.recordings import HOST, PID, ROOT, TRACE, asked, by, exchange, session, span
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.replay import processor
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.session import Session
from timetracer_otel.replay.traces import SPANS_MAX, Made, Traces

INSERT = "INSERT INTO outbox VALUES ($1)"
CHILD, OTHER = "a1" * 8, "a2" * 8
NEW_TRACE, NEW_ROOT, NEW_CHILD, NEW_OTHER = "e0" * 16, "b0" * 8, "b1" * 8, "b2" * 8
SPANS = (span(ROOT, "GET /orders/{id}"), span(CHILD, "charge"), span(OTHER, "send"))
READ_S = 1_790_000_000


def made() -> Made:
    """Of a run that has the same spans."""
    found = Made()
    named = {NEW_ROOT: span("x", "GET"), NEW_CHILD: span("x", "charge"), NEW_OTHER: span("x", "send")}
    for span_id, one in named.items():
        found.note(NEW_TRACE, span_id, one, is_root=span_id == NEW_ROOT)
    return found


def source(*recorded: Exchange, reads: tuple[int, ...] = ()) -> tuple[Session, MemoryJournal]:
    return session(*recorded, spans=SPANS, made=made(), reads=reads)


def test_the_ids_of_the_trace_stand_for_the_recorded_ones_wherever_they_are_told() -> None:
    told = [f'{{"traceparent": "00-{TRACE}-{ROOT}-03"}}', TRACE, f"span {CHILD}"]
    replay, journal = source(*(exchange(number, INSERT, [each]) for number, each in enumerate(told)))
    for each in (f'{{"traceparent": "00-{NEW_TRACE}-{NEW_ROOT}-03"}}', NEW_TRACE, f"span {NEW_CHILD}"):
        assert replay.take(asked(INSERT, [each]), by()) is not None
    assert {event["kind"] for event in journal.of("mapping")} == {"trace"}
    assert replay.explains(f"failed in {TRACE}", f"failed in {NEW_TRACE}")
    assert not replay.explains(f"failed in {TRACE}", f"worked in {NEW_TRACE}")


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (f"{TRACE} paid", f"{NEW_TRACE} free"),
        (TRACE, "e1" * 16),
        ("7f" * 16, NEW_TRACE),
        (CHILD, NEW_OTHER),
        (CHILD, NEW_ROOT),
        (ROOT, NEW_CHILD),
        (CHILD, "b3" * 8),
        ("a3" * 8, NEW_CHILD),
        (f"{CHILD} {OTHER}", f"{NEW_OTHER} {NEW_CHILD}"),
    ],
    ids=[
        *("what stands beside it", "a trace of nobody's", "a recorded trace of others'", "a span of another name"),
        *("the root for a span in it", "a span for the root", "a span of nobody's", "a recorded span of others'"),
        "spans that have changed places",
    ],
)
def test_any_other_id_is_a_miss(then: str, now: str) -> None:
    replay, _ = source(exchange(1, INSERT, [then]))
    assert replay.take(asked(INSERT, [now]), by()) is None


def test_one_trace_stands_for_one() -> None:
    run = made()
    run.note("e1" * 16, "b4" * 8, span("x", "GET"), is_root=True)
    replay, _ = session(exchange(1, INSERT, [TRACE]), exchange(2, INSERT, [TRACE]), spans=SPANS, made=run)
    assert replay.take(asked(INSERT, [NEW_TRACE]), by()) is not None
    assert replay.take(asked(INSERT, ["e1" * 16]), by()) is None


def test_instants_and_the_names_of_the_machine_may_stand_beside_them() -> None:
    then = [f"{TRACE} {HOST}:{PID} {READ_S}.100200", f"{HOST} alive at {READ_S}.200300"]
    replay, journal = source(
        *(exchange(n, INSERT, [each]) for n, each in enumerate(then)), reads=(READ_S * 10**9 + 300_400_000,)
    )
    here = f"{socket.gethostname()}:{os.getpid()}"
    assert replay.take(asked(INSERT, [f"{NEW_TRACE} {here} {READ_S}.900200"]), by()) is None
    assert replay.take(asked(INSERT, [f"{NEW_TRACE} {here} {READ_S}.300400"]), by()) is not None
    assert replay.take(asked(INSERT, [f"{socket.gethostname()} alive at {READ_S}.300400"]), by()) is not None
    assert [event["kind"] for event in journal.of("mapping")] == ["trace", "machine"]


def test_spans_beyond_the_limit_are_not_remembered() -> None:
    run = Made()
    for number in range(SPANS_MAX + 1):
        run.note(NEW_TRACE, f"{number:016x}", SPANS[1], is_root=False)
    traces = Traces(TRACE, ROOT, [(CHILD, "charge")], run)
    assert traces.recorded(CHILD, f"{SPANS_MAX - 1:016x}")[0] == CHILD
    assert traces.recorded(CHILD, f"{SPANS_MAX:016x}")[0] == f"{SPANS_MAX:016x}"


def test_what_binds_the_replay_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(W3CBaggagePropagator, "inject", W3CBaggagePropagator.inject)
    processor.keep_to_ourselves()
    span_context = trace.SpanContext(1, 2, False, trace.TraceFlags(1))
    within = trace.set_span_in_context(trace.NonRecordingSpan(span_context))
    within = baggage.set_baggage(processor.BAGGAGE, ROOT, within)
    carriers: list[dict[str, str]] = [{}, {}]
    propagate.inject(carriers[0], within)
    propagate.inject(carriers[1], baggage.set_baggage("tenant", "a", within))
    assert [each.get("baggage") for each in carriers] == [None, "tenant=a"]
    assert all("traceparent" in each for each in carriers)
