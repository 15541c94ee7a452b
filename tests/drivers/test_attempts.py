"""What is known by its number is counted in its segment: a replay runs one attempt of a task, and counts from 0."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.launching import LAUNCHER, instrumented, recording
from timetracer_otel.store import Store

ROOT = Path(__file__).resolve().parents[2]


def test_failures_of_a_second_attempt_in_one_trace_are_counted_from_0(tmp_path: Path) -> None:
    command = [*LAUNCHER, sys.executable, "-m", "tests.drivers.attempts"]
    variables = recording(tmp_path, **instrumented("psycopg", "pymongo"))
    subprocess.run(command, cwd=ROOT, env=variables, timeout=60, check=True)
    (folder,) = [folder for folder in tmp_path.iterdir() if len(folder.name) == 32]
    segments = Store(tmp_path).open_cassette(folder.name)[0].segments
    counted = [[(each.signature.lib, each.request["call"]) for each in segment.exchanges] for segment in segments]
    assert counted == [[("psycopg", 0), ("pymongo", 0)]] * 2
