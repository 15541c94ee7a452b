"""One scenario in a process of its own: `python -m tests.drivers.asyncpg.child record|replay SCENARIO DSN`.

Prints one line of JSON: what the scenario gave (`repr`) and, in replay, what the journal says. TIMETRACER_* variables
say where the cassette is; `timetracer_otel.install` does the rest, as in an application. LOOP=uvloop runs it on uvloop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

import timetracer_otel
from tests.drivers.asyncpg import scenarios

LOUD = ("ambiguous", "error", "incomplete", "mapping", "miss", "redacted", "refused")


def main(mode: str, scenario: str, dsn: str) -> None:
    if mode == "replay":
        os.environ["TIMETRACER_MODE"] = "replay"
    timetracer_otel.install()
    AsyncPGInstrumentor().instrument(skip_dep_check=True)  # type: ignore[no-untyped-call]  # it has no types
    PsycopgInstrumentor().instrument(skip_dep_check=True)
    scenarios.PART = mode
    given = repr(_run(_traced(scenario, dsn)))
    print(json.dumps({"given": given, **(_journal() if mode == "replay" else _losses())}))


async def _traced(scenario: str, dsn: str) -> Any:
    """What the scenario returns, run under a root span of its own unless it makes its own."""
    function = getattr(scenarios, scenario)
    if scenario.startswith("own_"):
        return await function(dsn)
    with trace.get_tracer("tests").start_as_current_span(scenario):
        return await function(dsn)


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

    return {"failures": dict(guard.failures)}


def _journal() -> dict[str, Any]:
    from timetracer_otel.replay import bootstrap
    from timetracer_otel.replay.journal import MemoryJournal

    replay = bootstrap.replay()
    assert replay is not None
    assert isinstance(replay.journal, MemoryJournal)
    said = [event for event in replay.journal.events if event["event"] in LOUD]
    used = {event["exchange"] for event in replay.journal.of("take")}
    exchanges = replay.segment.exchanges
    asked = [e for e in exchanges if e.request.get("op") != "prepare"]
    unused = [str(e.request.get("statement", e.type)) for e in asked if e.id not in used]
    return {"said": said, "unused": unused, "recorded": [str(e.request.get("statement")) for e in exchanges]}


if __name__ == "__main__":
    main(*sys.argv[1:])
