"""What we add to the start of `opentelemetry-instrument python -c pass`: fresh processes, interleaved."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

from commands import Command, keep_bytecode, race, tell_times
from harness import options

ROWS = ("start of opentelemetry-instrument",)
GOAL = 1.05
LAUNCHER = os.path.join(sysconfig.get_path("scripts"), "opentelemetry-instrument")
OTHERS = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
CONTESTANTS = {
    "without us": {"OTEL_TRACES_EXPORTER": "none", "TIMETRACER_MODE": "off"},
    "exporter named": {"OTEL_TRACES_EXPORTER": "timetracer"},
}


def main() -> None:
    rounds = options(__doc__, 21).rounds
    with tempfile.TemporaryDirectory() as folder:
        keep_bytecode(Path(folder))
        commands = {
            name: Command(
                [LAUNCHER, sys.executable, "-c", "pass"],
                {**os.environ, **OTHERS, **extra, "TIMETRACER_STORE": os.path.join(folder, "store")},
            )
            for name, extra in CONTESTANTS.items()
        }
        tell_times(ROWS[0], race(commands, rounds), {"exporter named": GOAL})


if __name__ == "__main__":
    main()
