"""Runs a scenario in processes of its own: recorded against a real server, then again from the cassette."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 120


@dataclass(frozen=True)
class Run:
    given: str
    failures: Mapping[str, int] = field(default_factory=dict)
    """Of the guard while recording."""
    said: tuple[Mapping[str, Any], ...] = ()
    """What the journal of a replay says beyond the answers it gave."""
    unused: tuple[str, ...] = ()
    """Statements that were recorded and not asked for."""
    version: str = ""
    """Of psycopg."""

    @property
    def misses(self) -> list[str]:
        return [event["request"]["text"] for event in self.said if event["event"] == "miss"]


def record(scenario: str, dsn: str, store: Path, **environment: str) -> Run:
    return _child("record", scenario, dsn, store, environment)


def replay(scenario: str, dsn: str, store: Path, **environment: str) -> Run:
    (trace,) = [folder for folder in store.iterdir() if len(folder.name) == 32]
    return _child("replay", scenario, dsn, store, {"TIMETRACER_CASSETTE": str(trace), **environment})


def _child(mode: str, scenario: str, dsn: str, store: Path, environment: Mapping[str, str]) -> Run:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TIMETRACER_", "PG"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.drivers.psycopg.child", mode, scenario, dsn],
        cwd=ROOT,
        env={**inherited, "TIMETRACER_STORE": str(store), **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Run(
        result["given"],
        result.get("failures", {}),
        tuple(result.get("said", ())),
        tuple(result.get("unused", ())),
        result["version"],
    )
