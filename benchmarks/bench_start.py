"""What we add to the start of `opentelemetry-instrument python -c pass`: fresh processes, interleaved."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time

GOAL = 1.05
LAUNCHER = os.path.join(sysconfig.get_path("scripts"), "opentelemetry-instrument")
COMMAND = [LAUNCHER, sys.executable, "-c", "pass"]
OTHERS = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
CONTESTANTS = {
    "without us": {"OTEL_TRACES_EXPORTER": "none", "TIMETRACER_MODE": "off"},
    "exporter named": {"OTEL_TRACES_EXPORTER": "timetracer"},
}


def once(extra: dict[str, str], folder: str) -> float:
    """Seconds from start to exit."""
    environ = {**os.environ, **OTHERS, **extra, "TIMETRACER_STORE": folder}
    began = time.perf_counter()
    subprocess.run(COMMAND, check=True, env=environ)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name in list(CONTESTANTS) if number % 2 else reversed(CONTESTANTS):
                seconds = once(CONTESTANTS[name], folder)
                if number:  # the first round warms the disk cache
                    times[name].append(seconds)
    base = times["without us"]
    for name, row in times.items():
        ratio = statistics.median(mine / its for mine, its in zip(row, base, strict=True))
        print(f"start {name:16s} {statistics.median(row) * 1e3:7.0f} ms  x{ratio:.3f}  (goal {GOAL})")


if __name__ == "__main__":
    main()
