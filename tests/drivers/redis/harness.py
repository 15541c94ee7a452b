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
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.store import Store

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 120
ALONE = instrumented("redis")
SAME = {"verdict": "same", "misses": [], "unused": [], "uncontrolled": []}


@dataclass(frozen=True)
class Run:
    saw: Any
    stderr: str
    report: Mapping[str, Any]
    """Of a replay."""

    @property
    def found(self) -> Mapping[str, Any]:
        """What of the report is `SAME` where nothing is wrong."""
        return {name: self.report[name] for name in SAME}


def record(store: Path, program: str, *arguments: str, **variables: str) -> Run:
    """The program against its server."""
    command = [*LAUNCHER, sys.executable, "-m", program, *arguments]
    done = _run(command, recording(store, **{**ALONE, **variables}))
    assert done.returncode == 0, done.stderr
    return Run(json.loads(done.stdout.splitlines()[-1]), done.stderr, {})


def replay(store: Path, program: str, *arguments: str, **variables: str) -> Run:
    """The program against the cassette alone."""
    report = store / "report.json"
    ours = [sys.executable, "-c", "from timetracer_otel.cli import main; main()"]
    theirs = [sys.executable, "-m", program, *arguments]
    done = _run(
        [*ours, "exec", str(trace_of(store)), "--json", str(report), "--", *theirs],
        environment(TIMETRACER_STORE=str(store), **{**ALONE, **variables}),
    )
    assert report.exists(), done.stderr
    saw = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return Run(saw, done.stderr, json.loads(report.read_text()))


def trace_of(store: Path) -> Path:
    (trace,) = [folder for folder in store.iterdir() if len(folder.name) == 32]
    return trace


def exchanges_in(store: Path) -> list[Exchange]:
    """Those of redis-py, none without its payload."""
    (segment,) = Store(store).open_cassette(trace_of(store).name)[0].segments
    assert not any(each.dropped for each in segment.exchanges)
    return [each for each in segment.exchanges if each.signature.lib == "redis"]


def _run(command: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=dict(variables), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
