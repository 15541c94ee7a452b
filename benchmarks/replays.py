"""A replay in a worker process, as the environment form has it, of a trace that a process before it has recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from harness import TRACE, Run, new_folder
from opentelemetry import trace

TRACE_ID_LENGTH = 32


def begin(command: Sequence[str]) -> None:
    """From here on this process replays what `command`, a script with its arguments, has recorded; the folder of the
    store comes last."""
    store = new_folder()
    subprocess.run([sys.executable, *command, store], check=True)
    (trace_id,) = [name for name in os.listdir(store) if len(name) == TRACE_ID_LENGTH]
    os.environ |= {"TIMETRACER_MODE": "replay", "TIMETRACER_STORE": store, "TIMETRACER_CASSETTE": trace_id}
    import timetracer_otel

    timetracer_otel.install()
    os.environ["TIMETRACER_JOURNAL"] = store  # as if a runner read it: no report at the end of what was not asked for


def record_into(store: str) -> None:
    """From here on this process records."""
    os.environ |= {"TIMETRACER_MODE": "record", "TIMETRACER_WRITE": "sync"}
    import timetracer_otel

    timetracer_otel.install(store=store)


def in_requests(run: Run) -> Run:
    """TRACE of them under each root span."""
    tracer = trace.get_tracer("benchmark")

    def traced(count: int) -> None:
        for _ in range(count // TRACE or 1):
            with tracer.start_as_current_span("request"):
                run(min(count, TRACE))

    return traced
