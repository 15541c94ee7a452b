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

from tests.launching import SPARED, instrumented

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 280
EXAMPLE = """
import json, os, runpy, sys
variables, sys.argv = json.loads(sys.argv[1]), sys.argv[2:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
import demo
whole = demo.environment
def environment(**more):
    off = {name: ",".join(filter(None, [value, more.get(name)])) for name, value in variables.items()}
    return whole(**{**more, **off})
demo.environment = environment
demo.main() if sys.argv[0] == demo.__file__ else runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""What an example starts gets none of its caller's variables of OpenTelemetry, but these."""


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
    return run_example("demo.py", folder, "psycopg", "starlette")


def run_example(script: str, folder: Path, *instrumentors: str, name: str = "") -> Demonstration:
    """What it does and leaves in the folder; no other instrumentor is loaded. A script for several is told a `name`."""
    command = example(script, folder, *instrumentors, name=name)
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return Demonstration(folder, done.stdout + done.stderr, done.returncode)


def example(script: str, folder: Path, *instrumentors: str, name: str = "") -> list[str]:
    """The command that does it."""
    arguments = [str(ROOT / "examples" / script), *([name] if name else []), str(folder)]
    return [sys.executable, "-c", EXAMPLE, json.dumps(instrumented(*instrumentors)), *arguments]


def environment(**variables: str) -> Mapping[str, str]:
    """Of a user: nothing of OpenTelemetry or ours is set, and the scripts of this Python are on PATH."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TIMETRACER_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**inherited, "PATH": path, **variables}
