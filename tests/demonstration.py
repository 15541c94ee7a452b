"""`scripts/demo`, run once for all tests that look at what it makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.launching import SPARED

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Demonstration:
    """`folder` holds a copy of the shop with `cassettes`; PostgreSQL has been stopped."""

    folder: Path
    output: str
    status: int

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the folder, as a user would run it."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment(**SPARED),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def listed(self, *options: str) -> list[dict[str, Any]]:
        """What `timetracer-otel list --json` says."""
        listed: list[dict[str, Any]] = json.loads(self.run("timetracer-otel", "list", "--json", *options).stdout)
        return listed

    @property
    def failing(self) -> str:
        """The trace id of the request that failed."""
        (trace,) = self.listed("--errors")
        return str(trace["trace_id"])


def run_demo(folder: Path) -> Demonstration:
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), str(folder)]
    done = subprocess.run(command, env=environment(**SPARED), capture_output=True, text=True, timeout=240, check=False)
    return Demonstration(folder, done.stdout + done.stderr, done.returncode)


def environment(**variables: str) -> Mapping[str, str]:
    """Of a user: nothing of OpenTelemetry or ours is set, and the scripts of this Python are on PATH."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TIMETRACER_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**inherited, "PATH": path, **variables}
