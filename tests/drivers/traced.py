"""What a tape holds, replayed in one process, in a span of the trace that is replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.drivers.psycopg.replaying import Replayed, replaying
from tests.drivers.taping import ListTape
from timetracer_otel.drivers.base import Replaying

PROVIDER = TracerProvider()


@contextlib.contextmanager
def replayed_by(driver: Replaying, tape: ListTape) -> Iterator[Replayed]:
    """The driver redirected to what the tape holds."""
    with replaying({"trace": tape.exchanges}, tape.connections, driver) as replay, traced(replay, "trace"):
        yield replay


@contextlib.contextmanager
def traced(replay: Replayed, name: str) -> Iterator[Any]:
    """The calling context works for the session of this name."""
    with PROVIDER.get_tracer("tests").start_as_current_span(name) as span:
        replay.bindings.bind(trace.get_current_span().get_span_context().trace_id, replay.sessions[name])
        yield span
