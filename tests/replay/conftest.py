from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.launching import SPARED
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.store import Store

APP = "tests.replay.app_under_test"
PATHS = ("/orders/42", "/fail", "/minted", "/call", "/reach", "/slow", "/gone", "/later")
ROOT = Path(__file__).parents[2]
INSTRUMENT = (
    sys.executable,
    "-c",
    "from opentelemetry.instrumentation.auto_instrumentation import run; run()",
)
QUIET = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


@pytest.fixture(autouse=True)
def _few_instrumentors(monkeypatch: pytest.MonkeyPatch) -> None:
    """In what a test starts: see `tests.launching.instrumented`. The recordings hold requests to Starlette only."""
    for name, value in SPARED.items():
        monkeypatch.setenv(name, value)


def clean(**variables: str) -> dict[str, str]:
    """The environment without OpenTelemetry's and our variables, but for the instrumentors that are off."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TIMETRACER_"))}
    return {**kept, **SPARED, "PYTHONPATH": str(ROOT), **variables}


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Cassette, Segment]]:
    """Path of the request -> its recording, made by a real process under OpenTelemetry's launcher."""
    store = tmp_path_factory.mktemp("recorded") / "cassettes"
    program = f"import asyncio; from {APP} import ask; asyncio.run(ask(*{PATHS}))"
    environment = clean(OTEL_TRACES_EXPORTER="timetracer", TIMETRACER_STORE=str(store), **QUIET)
    command = [*INSTRUMENT, sys.executable, "-c", program]
    subprocess.run(command, env=environment, cwd=ROOT, check=True, timeout=120)
    found = {}
    for summary in Store(store).list_traces().traces:
        cassette, _ = Store(store).open_cassette(summary.trace_id)
        [segment] = cassette.segments
        [entry] = segment.exchanges
        found[str(entry.request["path"])] = cassette, segment
    return found
