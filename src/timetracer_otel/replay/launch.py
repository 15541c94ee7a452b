"""How the replaying process is started: command, environment and folder. Pure."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from timetracer_otel.cassette.model import Process, Segment
from timetracer_otel.replay import bootstrap, child, debugger, isolation, journal
from timetracer_otel.replay.children import LAUNCHER

ISOLATE: Final = (sys.executable, "-m", "timetracer_otel.replay.isolation", "--")
# The launcher's script may lie outside PATH, or belong to another environment; its function is in ours.
INSTRUMENT: Final = (
    sys.executable,
    "-c",
    "from opentelemetry.instrumentation.auto_instrumentation import run; run()",
)
PROGRAM: Final = (sys.executable, "-m", "timetracer_otel.replay.program", "--")
CHILD: Final = (sys.executable, "-m", "timetracer_otel.replay.child")
FORCED: Final = {
    "OTEL_TRACES_EXPORTER": "none",  # spans leave through the journal: there is no network to export to
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_PROPAGATORS": "tracecontext,baggage",
    "OTEL_TRACES_SAMPLER": "always_on",
    "TIMETRACER_MODE": "replay",
}
REMOVED: Final = (
    *("OTEL_SDK_DISABLED", "OTEL_CONFIG_FILE", "OTEL_PYTHON_ID_GENERATOR", "OTEL_TRACES_SAMPLER_ARG"),
    *(isolation.BEGAN, debugger.VARIABLE),  # of a replay that starts this one
    "TIMETRACER_PAYLOAD_MAX",  # of the recording: what replay does not keep it could not compare
    "TIMETRACER_IN_FLIGHT_MAX",
)


@dataclass(frozen=True, slots=True)
class Launch:
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str


def entry(cassette: str, segment: Segment, app: str | None, base: Mapping[str, str], pipe: str) -> Launch:
    """The process that runs the recorded entry. `app`: as the user named it; else the recording says."""
    recorded = segment.entry.app if segment.entry is not None else None
    folder = _folder(segment.process) if app is None else os.getcwd()
    environment = _environment(cassette, segment, base, pipe, folder)
    environment[bootstrap.ENTRY] = "run"
    if name := app or recorded:
        environment[child.APP] = name
    return Launch((*ISOLATE, *INSTRUMENT, *CHILD), environment, folder)


def program(cassette: str, segment: Segment, command: Sequence[str], base: Mapping[str, str], pipe: str) -> Launch:
    """Any program of the user's, in the current folder."""
    environment = _environment(cassette, segment, base, pipe, os.getcwd())
    return Launch((*ISOLATE, *PROGRAM, *command), environment, os.getcwd())


def debugged(how: Launch) -> Launch:
    """The same, with a post mortem where the app raises."""
    return replace(how, environment={**how.environment, debugger.VARIABLE: "1"})


def _folder(process: Process) -> str:
    return process.cwd if process.cwd and os.path.isdir(process.cwd) else os.getcwd()


def _environment(cassette: str, segment: Segment, base: Mapping[str, str], pipe: str, folder: str) -> dict[str, str]:
    environment = {name: value for name, value in base.items() if name not in (*REMOVED, bootstrap.ENTRY, child.APP)}
    environment |= FORCED
    environment |= {
        "TIMETRACER_CASSETTE": os.path.abspath(cassette),
        bootstrap.SEGMENT: segment.id,
        journal.VARIABLE: pipe,
        "PYTHONPATH": os.pathsep.join(_python_path(segment.process, base, folder)),
    }
    if segment.process.hash_seed.isdecimal():
        environment["PYTHONHASHSEED"] = segment.process.hash_seed
    return environment


def _python_path(process: Process, base: Mapping[str, str], folder: str) -> list[str]:
    """The current folder, what the user has set, and what the recorded process had that exists here."""
    own = [path for path in base.get("PYTHONPATH", "").split(os.pathsep) if path and not path.endswith(LAUNCHER)]
    recorded = [path for path in process.sys_path if os.path.isabs(path) and os.path.isdir(path)]
    return list(dict.fromkeys([folder, *own, *recorded]))
