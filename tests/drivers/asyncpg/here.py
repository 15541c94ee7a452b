"""Recorded and replayed in this process: fast, for what is tried with many programs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.drivers.asyncpg.taping import taps
from tests.drivers.psycopg.replaying import replaying
from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.drivers.asyncpg.replay import REPLAYING
from timetracer_otel.replay.library import apart

Program: TypeAlias = Callable[[str], Awaitable[Sequence[Any]]]
"""What it gives is compared one by one, by `repr`."""
PRODUCTION = "postgresql://app@db.prod.example/postgres?sslmode=verify-full"


@dataclass(frozen=True)
class Recorded:
    given: Sequence[str]
    exchanges: Sequence[Exchange]
    connections: Sequence[Connection]


@dataclass(frozen=True)
class Found:
    given: Sequence[str]
    misses: Sequence[str]
    """Without those that follow from another."""
    taken: frozenset[str]
    is_used_up: bool


def record_here(program: Program, dsn: str) -> Recorded:
    with taps() as tape:
        given = _run(program, dsn)
    return Recorded(given, tuple(apart(tape.exchanges)), tape.connections)


def replay_here(program: Program, exchanges: Sequence[Exchange], connections: Sequence[Connection]) -> Found:
    tracer = TracerProvider().get_tracer("tests")
    with replaying({"trace": exchanges}, connections, REPLAYING) as replayed:
        session = replayed.sessions["trace"]
        with tracer.start_as_current_span("replay"):
            replayed.bindings.bind(trace.get_current_span().get_span_context().trace_id, session)
            given = _run(program, PRODUCTION)
        misses = [each["request"]["text"] for each in replayed.journal.of("miss") if not each["consequent"]]
        taken = frozenset(each["exchange"] for each in replayed.journal.of("take"))
        return Found(given, misses, taken, session.is_used_up)


def _run(program: Program, dsn: str) -> Sequence[str]:
    async def given() -> Sequence[str]:
        return [repr(each) for each in await program(dsn)]

    return asyncio.run(given())
