"""Scenarios in a process of their own: `python -m tests.drivers.psycopg.child record|replay SCENARIO[,SCENARIO] DSN`.

Prints one line of JSON: what they gave (`repr`) and, in replay, what the journal says. TIMETRACER_* variables
say where the cassette is; `timetracer_otel.install` does the rest, as in an application.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from importlib import import_module
from typing import Any

import psycopg
from opentelemetry import trace
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

import timetracer_otel
from tests.drivers.psycopg import scenarios

LOUD = ("ambiguous", "error", "incomplete", "mapping", "miss", "redacted", "refused")


def run(names: str, dsn: str) -> Any:
    """What the scenarios (`name` of `scenarios`, or `module:name`) return, run under one root span."""
    with trace.get_tracer("tests").start_as_current_span(names):
        given = [_run(name, dsn) for name in names.split(",")]
    return given if len(given) > 1 else given[0]


def _run(scenario: str, dsn: str) -> Any:
    module, _, name = scenario.rpartition(":")
    function = getattr(import_module(f"tests.drivers.psycopg.{module}") if module else scenarios, name)
    return asyncio.run(function(dsn)) if inspect.iscoroutinefunction(function) else function(dsn)


def main(mode: str, scenario: str, dsn: str) -> None:
    if mode == "replay":
        os.environ["TIMETRACER_MODE"] = "replay"
    timetracer_otel.install()
    commenter = bool(os.environ.get("COMMENTER"))
    PsycopgInstrumentor().instrument(skip_dep_check=True, enable_commenter=commenter)
    if os.environ.get("THREADING"):
        ThreadingInstrumentor().instrument()
    scenarios.PART = mode
    given = repr(run(scenario, dsn))
    print(
        json.dumps({"given": given, "version": psycopg.__version__, **(_journal() if mode == "replay" else _losses())})
    )


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
    unused = [e for e in replay.segment.exchanges if e.id not in used]
    return {"said": said, "unused": [str(e.request.get("statement", e.type)) for e in unused]}


if __name__ == "__main__":
    main(*sys.argv[1:])
