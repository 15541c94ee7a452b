"""One run of all tests of a library, in a process of its own under `opentelemetry-instrument`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tests.suites.suite import Suite
from timetracer_otel.store import Store

INSIDE = Path(__file__).resolve().parent / "inside"
PREFIXES = ("AWS_", "OTEL_", "TIMETRACER_", "PG", "PYTEST_")
QUIET = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


@dataclass(frozen=True, slots=True)
class Run:
    outcomes: Mapping[str, str]
    """By test."""
    failures: Mapping[str, int]
    """Of our taps, which the tests did not notice."""
    exchanges: int
    """That were recorded."""
    dropped: Mapping[str, int]
    """Exchanges without their payload, by the reason."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tests of a suite lie, and the packages that only they need."""

    suite: Suite
    folder: Path
    packages: Path


def run(place: Place, taps: bool, only: Sequence[str] = ()) -> Run:
    """All tests, or those named, with servers and temporary files of their own. Raises AssertionError where they do not
    run to the end."""
    with tempfile.TemporaryDirectory(prefix="suite-") as made:
        scratch = Path(made)
        scratch.chmod(0o755)  # for servers that run as somebody else
        outcomes, store, log = scratch / "outcomes", scratch / "store", scratch / "log"
        own = {"SUITE_OUTCOMES": str(outcomes), "TMPDIR": str(_temporary(scratch)), **_recording(taps, store)}
        with place.suite.servers(scratch) as variables, log.open("wb") as output:
            _to_the_end(_command(place.suite, only), place, {**_environment(place), **own, **variables}, output)
        assert outcomes.exists(), f"the tests did not run to the end:\n{log.read_text(errors='replace')[-5000:]}"
        return _read(outcomes, store)


def _to_the_end(command: list[str], place: Place, environment: Mapping[str, str], output: BinaryIO) -> None:
    """Or to the end of its time. Workers that the tests leave behind end with them."""
    with subprocess.Popen(
        command, cwd=place.folder, env=environment, stdout=output, stderr=output, start_new_session=True
    ) as process:
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(place.suite.timeout_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _temporary(scratch: Path) -> Path:
    """Like the machine's: for everybody."""
    folder = scratch / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def _command(suite: Suite, only: Sequence[str]) -> list[str]:
    options = ["-q", "-p", "no:cacheprovider", "-p", "suite_plugin", "--import-mode=importlib", "-W", "default"]
    ignored = [
        option for path in suite.ignored for option in (["--deselect", path] if "::" in path else ["--ignore", path])
    ]
    chosen = only or suite.files or [suite.tests]
    return ["opentelemetry-instrument", sys.executable, "-m", "pytest", *options, *suite.options, *ignored, *chosen]


def _environment(place: Place) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    return {**kept, "PATH": path, "PYTHONPATH": f"{INSIDE}{os.pathsep}{place.packages}", **place.suite.variables}


def _recording(taps: bool, store: Path) -> dict[str, str]:
    """Plain OpenTelemetry makes the same spans, for nobody."""
    if not taps:
        return {"OTEL_TRACES_EXPORTER": "none", **QUIET}
    return {"OTEL_TRACES_EXPORTER": "timetracer", "TIMETRACER_STORE": str(store), **QUIET}


def _read(outcomes: Path, store: Path) -> Run:
    *tests, last = [json.loads(line) for line in outcomes.read_text().splitlines()]
    exchanges, dropped = 0, Counter[str]()
    for summary in Store(store).list_traces().traces if store.exists() else ():
        for segment in Store(store).open_cassette(summary.trace_id)[0].segments:
            exchanges += len(segment.exchanges)
            dropped.update(str(each.dropped.get("reason")) for each in segment.exchanges if each.dropped)
    return Run({each["test"]: each["outcome"] for each in tests}, last["failures"], exchanges, dropped)
