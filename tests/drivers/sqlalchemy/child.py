"""One request in a process of its own: `python -m tests.drivers.sqlalchemy.child record|replay DRIVER DSN`.

When it is recorded, it comes after one that is not sampled and has connected the engine for the first time; in replay
it is the first. Prints one line of JSON: what it gave (`repr`) and, in replay, what the journal says.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import sqlalchemy as sa
from opentelemetry import trace
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from sqlalchemy.orm import Session
from sqlalchemy.util import greenlet_spawn

import timetracer_otel
from tests.drivers.psycopg.child import _journal, _losses
from tests.drivers.sqlalchemy.engines import async_engine, engine

UNSAMPLED = trace.NonRecordingSpan(trace.SpanContext(0xA5, 0xA5, is_remote=True))


def main(mode: str, driver: str, dsn: str) -> None:
    if mode == "replay":
        os.environ["TIMETRACER_MODE"] = "replay"
    timetracer_otel.install()
    AsyncPGInstrumentor().instrument(skip_dep_check=True)  # type: ignore[no-untyped-call]  # it has no types
    PsycopgInstrumentor().instrument(skip_dep_check=True)
    if driver == "psycopg":
        given = served(engine(dsn, pool_pre_ping=True), mode)
    else:
        given = asyncio.run(_async(dsn, driver, mode))
    print(json.dumps({"given": repr(given), **(_journal() if mode == "replay" else _losses())}))


async def _async(dsn: str, driver: str, mode: str) -> Any:
    return await greenlet_spawn(served, async_engine(dsn, driver, pool_pre_ping=True).sync_engine, mode)


def served(made: sa.Engine, mode: str) -> Any:
    tracer = trace.get_tracer("tests")
    if mode == "record":
        with tracer.start_as_current_span("before", kind=trace.SpanKind.SERVER):
            pass  # the first entry of the process: what comes after it is no environment
        with trace.use_span(UNSAMPLED):
            request(made)
    with tracer.start_as_current_span("request", kind=trace.SpanKind.SERVER):
        return request(made)


def request(made: sa.Engine) -> Any:
    with Session(made) as session:
        asked = sa.text("select :a + 1, cast(:b as int[]), current_database()")
        return session.execute(asked, {"a": 1, "b": [1, 2]}).all()


if __name__ == "__main__":
    main(*sys.argv[1:])
