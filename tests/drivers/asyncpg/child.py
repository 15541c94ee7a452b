"""Scenarios in a process of their own: `python -m tests.drivers.asyncpg.child record|replay SCENARIO[,SCENARIO] DSN`.

Prints one line of JSON: what the scenarios gave (`repr`) and, in replay, what the journal says. TIMETRACER_* variables
say where the cassette is; `timetracer_otel.install` does the rest, as in an application. LOOP=uvloop runs it on uvloop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg
from opentelemetry import trace
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

import timetracer_otel
from tests.drivers.asyncpg import (
    case_scenarios,
    copy_scenarios,
    failure_scenarios,
    listener_scenarios,
    pool_scenarios,
    scenarios,
    type_scenarios,
)

MODULES = (
    scenarios,
    pool_scenarios,
    copy_scenarios,
    type_scenarios,
    listener_scenarios,
    failure_scenarios,
    case_scenarios,
)
LOUD = ("ambiguous", "error", "incomplete", "mapping", "miss", "redacted", "refused")


def main(mode: str, scenario: str, dsn: str) -> None:
    if mode == "replay":
        os.environ["TIMETRACER_MODE"] = "replay"
    timetracer_otel.install()
    AsyncPGInstrumentor().instrument(skip_dep_check=True)  # type: ignore[no-untyped-call]  # it has no types
    PsycopgInstrumentor().instrument(skip_dep_check=True)
    scenarios.PART = pool_scenarios.PART = mode
    given = repr(_run(_traced(scenario, dsn)))
    print(
        json.dumps({"given": given, "version": asyncpg.__version__, **(_journal() if mode == "replay" else _losses())})
    )


async def _traced(scenario: str, dsn: str) -> Any:
    """What the scenarios return, run under one root span unless the only one makes its own."""
    functions = [_named(name) for name in scenario.split(",")]
    if scenario.startswith("own_"):
        return await functions[0](dsn)
    with trace.get_tracer("tests").start_as_current_span(scenario):
        return [await function(dsn) for function in functions]


def _named(scenario: str) -> Callable[[str], Awaitable[Any]]:
    found: Callable[[str], Awaitable[Any]] = next(
        getattr(module, scenario) for module in MODULES if hasattr(module, scenario)
    )
    return found


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    if os.environ.get("LOOP") == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
        try:
            return loop.run_until_complete(work)
        finally:
            loop.close()
    return asyncio.run(work)


def _losses() -> dict[str, Any]:
    from timetracer_otel.capture import guard

    provider: Any = trace.get_tracer_provider()
    provider.force_flush()
    return {"failures": dict(guard.failures), "peak_mib": _peak_mib()}


def _peak_mib() -> int:
    """Of the memory of this process; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else ()
    return sum(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:"))


def _journal() -> dict[str, Any]:
    from timetracer_otel.replay import bootstrap
    from timetracer_otel.replay.journal import MemoryJournal
    from timetracer_otel.replay.library import apart

    replay = bootstrap.replay()
    assert replay is not None
    assert isinstance(replay.journal, MemoryJournal)
    said = [event for event in replay.journal.events if event["event"] in LOUD]
    used = {event["exchange"] for event in replay.journal.of("take")}
    exchanges = list(apart(replay.segment.exchanges))
    asked = [e for e in exchanges if e.request.get("op") != "prepare"]
    unused = [str(e.request.get("statement", e.type)) for e in asked if e.id not in used]
    return {"said": said, "unused": unused, "recorded": [str(e.request.get("statement")) for e in exchanges]}


if __name__ == "__main__":
    main(*sys.argv[1:])
