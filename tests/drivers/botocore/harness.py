"""Records scenarios against a server, and replays them with nothing of AWS in the environment."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.demonstration import ROOT, environment
from tests.launching import OFF, instrumented
from tests.promises.running import QUIET, Replayed, only, with_report
from timetracer_otel.cassette import Exchange

TIMEOUT_S = 120
PROGRAM = (sys.executable, "-m", "tests.drivers.botocore.program")
ALONE = instrumented("aiobotocore", "botocore")


@dataclass(frozen=True)
class Recorded:
    given: Mapping[str, str]
    """What each scenario gave, by its name."""
    store: Path
    program: tuple[str, ...]

    @property
    def cassette(self) -> str:
        return only(self.store)[0].path

    @property
    def exchanges(self) -> list[Exchange]:
        return list(only(self.store)[1].exchanges)

    def calls(self, service: str, operation: str) -> list[Exchange]:
        found = [each for each in self.exchanges if each.signature.url == service]
        return [each for each in found if each.signature.method == operation]


def clean(**variables: str) -> dict[str, str]:
    """An environment with nothing of AWS in it but `variables`."""
    kept = {name: value for name, value in environment(PYTHONPATH=str(ROOT)).items() if not name.startswith("AWS_")}
    return {**kept, **variables}


def record(store: Path, variables: Mapping[str, str], *arguments: str) -> Recorded:
    command = ["opentelemetry-instrument", *PROGRAM, *arguments]
    settings = {"OTEL_TRACES_EXPORTER": "timetracer", "TIMETRACER_STORE": str(store), **ALONE, **QUIET}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean(**settings, **variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "timetracer:" not in done.stderr.replace(f"timetracer: {OFF} switches off", ""), done.stderr
    return Recorded(printed(done.stdout), store, (*PROGRAM, *arguments))


def plain(variables: Mapping[str, str], *arguments: str) -> dict[str, str]:
    """What the scenarios give without us and without OpenTelemetry."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=ROOT,
        env=clean(**variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return printed(done.stdout)


def replay(recorded: Recorded, folder: Path, *program: str, **variables: str) -> Replayed:
    """In the namespace, with an empty home and a profile that does not exist."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    command = ["timetracer-otel", "exec", recorded.cassette]
    with without_aws():
        return with_report(
            command,
            folder,
            {"HOME": str(home), "AWS_PROFILE": "nowhere", **ALONE, **variables},
            ("--", *(program or recorded.program)),
        )


@contextlib.contextmanager
def without_aws() -> Iterator[None]:
    """With nothing of AWS in the environment of this process, which its children inherit."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}
    try:
        yield
    finally:
        os.environ.update(kept)


def printed(output: str) -> dict[str, str]:
    lines = (line.partition("\t") for line in output.splitlines())
    return {name: given for name, tab, given in lines if tab}
