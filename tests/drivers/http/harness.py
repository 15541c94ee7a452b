"""Records scenarios against a server, and replays them in a process that has none."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.demonstration import ROOT, environment
from tests.promises.running import QUIET, Replayed, only, with_report
from timetracer_otel.cassette import Cassette, Exchange, Segment

TIMEOUT_S = 300
PROGRAM = (sys.executable, "-m", "tests.drivers.http.program")


@dataclass
class Recorded:
    given: Mapping[str, str]
    """What each scenario gave, by its name."""
    store: Path
    program: tuple[str, ...]
    variables: Mapping[str, str]
    errors: str
    """What the program wrote to stderr."""

    @functools.cached_property
    def _only(self) -> tuple[Cassette, Segment]:
        return only(self.store)

    @property
    def cassette(self) -> str:
        return self._only[0].path

    @property
    def exchanges(self) -> list[Exchange]:
        return list(self._only[1].exchanges)

    def of(self, scenario: str) -> list[Exchange]:
        """Those made under the span of the scenario."""
        spans = {span.span_id: span for span in self._only[1].spans}
        found = []
        for exchange in self.exchanges:
            span = spans.get(exchange.span_id or "")
            while span is not None and span.name != scenario:
                span = spans.get(span.parent_id or "")
            found += [exchange] if span is not None else []
        return found


def record(store: Path, variables: Mapping[str, str], *arguments: str, program: tuple[str, ...] = PROGRAM) -> Recorded:
    command = ["opentelemetry-instrument", *program, *arguments]
    settings = {"OTEL_TRACES_EXPORTER": "timetracer", "TIMETRACER_STORE": str(store), **QUIET}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment(PYTHONPATH=str(ROOT)), **settings, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "timetracer:" not in done.stderr, done.stderr
    return Recorded(printed(done.stdout), store, (*program, *arguments), variables, done.stderr)


def replay(recorded: Recorded, folder: Path, *program: str) -> Replayed:
    """In the namespace, with the same addresses in the environment."""
    command = ["timetracer-otel", "exec", recorded.cassette]
    return with_report(command, folder, recorded.variables, ("--", *(program or recorded.program)))


def printed(output: str) -> dict[str, str]:
    lines = (line.partition("\t") for line in output.splitlines())
    return {name: given for name, tab, given in lines if tab}
