"""Recorded and replayed in this process: fast, for what a scenario varies; the harness gives each side its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.drivers.psycopg.replaying import replaying
from tests.drivers.psycopg.taping import taps
from timetracer_otel.cassette.model import Exchange

Program: TypeAlias = Callable[[str], Any]
PRODUCTION = "postgresql://app:secret@db.prod.example:5432/postgres"


@dataclass
class Here:
    given: str
    misses: Sequence[Mapping[str, Any]] = ()
    incomplete: Sequence[Mapping[str, Any]] = ()
    is_used_up: bool = True

    @property
    def missed(self) -> list[str]:
        return [miss["request"]["text"] for miss in self.misses]


def record_here(program: Program, dsn: str) -> tuple[str, list[Exchange]]:
    """What it gave, and what was recorded of it."""
    with taps() as tape:
        given = repr(_run(program, dsn))
    assert not tape.open_ones
    return given, tape.exchanges


def replay_here(program: Program, exchanges: list[Exchange], dsn: str = PRODUCTION) -> Here:
    tracer = TracerProvider().get_tracer("tests")
    with replaying({"trace": exchanges}) as replayed, tracer.start_as_current_span("replay"):
        trace_id = trace.get_current_span().get_span_context().trace_id
        replayed.bindings.bind(trace_id, replayed.sessions["trace"])
        given = repr(_run(program, dsn))
        journal, session = replayed.journal, replayed.sessions["trace"]
        return Here(given, journal.of("miss"), journal.of("incomplete"), session.is_used_up)


def _run(program: Program, dsn: str) -> Any:
    return asyncio.run(program(dsn)) if inspect.iscoroutinefunction(program) else program(dsn)
