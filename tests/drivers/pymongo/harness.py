"""Programs recorded under OpenTelemetry's launcher, and run again by `timetracer-otel exec` without a network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.launching import LAUNCHER, environment, instrumented, recording
from timetracer_otel.drivers.pymongo.housework import BY_ITSELF
from timetracer_otel.store import Store

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 120
PROGRAM = "tests.drivers.pymongo.program"
ALONE = instrumented("pymongo")


@dataclass(frozen=True)
class Run:
    saw: Mapping[str, Any]
    stderr: str
    report: Mapping[str, Any]
    """Of a replay."""


def record(store: Path, *arguments: str, program: str = PROGRAM, **variables: str) -> Run:
    """The program against its server."""
    command = [*LAUNCHER, sys.executable, "-m", program, *arguments]
    done = _run(command, recording(store, **ALONE, **variables))
    assert done.returncode == 0, done.stderr
    return Run(json.loads(done.stdout.splitlines()[-1]), done.stderr, {})


def replay(store: Path, *arguments: str, program: str = PROGRAM, **variables: str) -> Run:
    """The program against the cassette alone."""
    report = store / "report.json"
    ours = [sys.executable, "-c", "from timetracer_otel.cli import main; main()"]
    theirs = [sys.executable, "-m", program, *arguments]
    trace = trace_of(store)
    done = _run(
        [*ours, "exec", str(trace), "--json", str(report), "--", *theirs],
        environment(TIMETRACER_STORE=str(store), **ALONE, **variables),
    )
    assert report.exists(), done.stderr
    saw = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return Run(saw, done.stderr, json.loads(report.read_text()))


def trace_of(store: Path) -> Path:
    (trace,) = [folder for folder in store.iterdir() if len(folder.name) == 32]
    return trace


def commands_in(store: Path) -> list[str]:
    """Names of the recorded ones, without what the driver does by itself."""
    (segment,) = Store(store).open_cassette(trace_of(store).name)[0].segments
    assert not any(each.dropped for each in segment.exchanges)
    return sorted(name for each in segment.exchanges if (name := each.signature.method) not in BY_ITSELF)


def _run(command: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=dict(variables), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
