"""Statements of traces that the sampler dropped pass by all taps, whatever is recorded beside them at the same time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from tests.drivers.psycopg.taping import taps
from tests.servers.postgres import PostgresServer
from timetracer_otel.capture import guard, table
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.capture.segments import Batch, SegmentBatch
from timetracer_otel.config import Settings
from timetracer_otel.drivers.psycopg.codec import CODEC
from timetracer_otel.drivers.psycopg.sending import Sending
from timetracer_otel.exporters.processor import SegmentProcessor

WAIT_S = 60.0


@dataclass
class Recording:
    """A recorder whose process has had its first entry, and what it hands over."""

    batches: list[Batch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recorder = Recorder(Settings(), self)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SegmentProcessor(self.recorder))
        self.tracer = provider.get_tracer("tests")
        table.activate(self.recorder)
        self.recorder.entry_began()

    def prepare(self) -> None:
        """There is nothing to make."""

    def put(self, batch: Batch) -> None:
        self.batches.append(batch)

    def spill(self, captured: object, released: object) -> None:
        return None

    def flush(self, timeout_s: float) -> bool:
        return True

    @property
    def answers(self) -> list[tuple[str, object]]:
        """Statement and rows of each exchange."""
        parts = [batch for batch in self.batches if isinstance(batch, SegmentBatch)]
        found: list[Any] = [CODEC.encode(captured) for part in parts for captured in part.exchanges]
        return [(each.request["statement"], each.result["results"][-1]["values"]) for each in found]

    @contextlib.contextmanager
    def sampled(self) -> Iterator[Any]:
        with self.tracer.start_as_current_span("request", context=Context()) as span:
            yield span


def unsampled() -> contextlib.AbstractContextManager[Any]:
    return use_span(NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(0))))


@pytest.fixture
def recording() -> Iterator[Recording]:
    with taps():
        yield Recording()


def ask(connection: psycopg.Connection[Any], statement: Any, *values: object) -> None:
    connection.execute(statement, values or None).fetchall()


def until(claim: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not claim():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def test_statements_of_threads_side_by_side_are_recorded_for_the_sampled_trace_alone(
    postgres: PostgresServer, recording: Recording
) -> None:
    turns = threading.Barrier(2, timeout=WAIT_S)

    def dropped() -> None:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection, unsampled():
            for number in range(8):  # prepared from the sixth on, which is another way through psycopg
                turns.wait()
                ask(connection, "select %s::text as dropped", f"d{number}")

    beside = threading.Thread(target=dropped)
    beside.start()
    with psycopg.connect(postgres.dsn, autocommit=True) as connection, recording.sampled():
        for number in range(8):
            turns.wait()
            ask(connection, "select %s::text as kept", f"k{number}")
        beside.join(WAIT_S)
    statement = "select $1::text as kept"
    assert recording.answers == [(statement, [[f"k{number}"]]) for number in range(8)]


def test_a_statement_that_was_under_way_when_a_trace_began_is_not_in_it(
    postgres: PostgresServer, recording: Recording
) -> None:
    def waits() -> bool:
        return bool(watch.execute("select 1 from pg_locks where locktype = 'advisory' and not granted").fetchall())

    with (
        psycopg.connect(postgres.dsn, autocommit=True) as holder,
        psycopg.connect(postgres.dsn, autocommit=True) as watch,
        psycopg.connect(postgres.dsn, autocommit=True) as shared,
    ):

        def wait_for_it() -> None:
            with unsampled():
                ask(shared, "select pg_advisory_lock(4711)::text")

        with unsampled():
            ask(holder, "select pg_advisory_lock(4711)::text")
            late = threading.Thread(target=wait_for_it)
            late.start()
            until(waits)
        with recording.sampled():
            with unsampled():
                ask(holder, "select pg_advisory_unlock(4711)::text")
            late.join(WAIT_S)
            ask(shared, "select 'after'")
        assert recording.answers == [("select 'after'", [["after"]])]


def test_a_statement_after_the_end_of_a_recorded_trace_belongs_to_it_still(
    postgres: PostgresServer, recording: Recording
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        with recording.sampled() as span:
            ask(connection, "select 'in time'")
        with unsampled():
            ask(connection, "select 'dropped'")
        with use_span(span):
            ask(connection, "select 'late'")
    assert [statement for statement, _ in recording.answers] == ["select 'in time'", "select 'late'"]


def test_a_release_that_takes_other_arguments_gets_what_it_is_given() -> None:
    seen: list[object] = []

    def newer(self: object, *args: object, **others: object) -> str:
        seen.append((args, others))
        return "sent"

    sending = Sending(lambda: True, lambda *_, **__: seen.append("hook"), seen.append)
    assert sending.wrap_prepared(newer)(None, b"_pg3_0", "select 1", 7, mode="fast") == "sent"
    assert sending.wrap_statement(newer, bool)(None, "select 1", mode="fast") == "sent"
    assert seen == [((b"_pg3_0", "select 1", 7), {"mode": "fast"}), "hook", (("select 1",), {"mode": "fast"})]


def test_a_question_that_fails_is_counted_and_the_statement_is_recorded(
    postgres: PostgresServer, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise RuntimeError("no answer")

    monkeypatch.setattr(guard, "strict", False)
    guard.failures.clear()
    with psycopg.connect(postgres.dsn, autocommit=True) as connection, recording.sampled():
        monkeypatch.setattr(table, "is_heard", broken)
        ask(connection, "select 'heard'")
    assert recording.answers == [("select 'heard'", [["heard"]])]
    assert guard.counts()["psycopg"] > 0
    guard.failures.clear()
