"""How the replaying process is started: command, environment and folder. Pure."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from timetracer_otel.cassette.model import Process, Segment
from timetracer_otel.errors import ReplayError
from timetracer_otel.replay import debugger, handed, isolation, journal, live, places
from timetracer_otel.replay.library import entry_of
from timetracer_otel.replay.places import Place

# Alone with the standard library: no folder and no PYTHONPATH gives it code while the network is still there.
ISOLATE: Final = (sys.executable, "-I", "-S", os.path.abspath(isolation.__file__), "--")
LAUNCHER: Final = "opentelemetry.instrumentation.auto_instrumentation"
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
    live.VARIABLE,
    *(handed.ENTRY, handed.PATHS, handed.APP, handed.CODE, handed.SECRETS, handed.EARLIER),
)
HASH_SEED: Final = re.compile("[0-9]{1,9}")
REGIONS: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
REGION: Final = re.compile("[a-z]{2,10}(-[a-z0-9]{1,12}){1,5}")
APP_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Launch:
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str


def entry(
    cassette: str, segment: Segment, app: str | None, base: Mapping[str, str], pipe: str, is_own: bool = False
) -> Launch:
    """The process that runs the recorded entry. `app`: as the user named it; else the recording says. `is_own`: it lies
    in the user's store. Raises ReplayError for a recorded app that is no name."""
    place = places.of_entry(segment.process, is_own, base, is_named=app is not None)
    environment = _environment(cassette, segment, base, pipe, place)
    environment[handed.ENTRY] = "run"
    if name := app or _recorded(segment):
        environment[handed.APP] = name
    if app is None and place.code is not None:
        environment[handed.CODE] = os.pathsep.join(place.code)
    # What OpenTelemetry's launcher would do, which takes a process of its own to do it.
    environment["PYTHONPATH"] = os.pathsep.join([*_folder_of(LAUNCHER), environment["PYTHONPATH"]])
    return Launch((*ISOLATE, *CHILD), environment, place.folder)


def program(
    cassette: str, segment: Segment, command: Sequence[str], base: Mapping[str, str], pipe: str, is_own: bool = False
) -> Launch:
    """Any program of the user's, in the current folder."""
    place = places.of_program(segment.process, is_own)
    environment = _environment(cassette, segment, base, pipe, place)
    return Launch((*ISOLATE, *PROGRAM, *command), environment, place.folder)


def _folder_of(package: str) -> Sequence[str]:
    """Empty where it is not installed."""
    spec = importlib.util.find_spec(package)
    return (spec.submodule_search_locations or ()) if spec is not None else ()


def debugged(how: Launch) -> Launch:
    """The same, with a post mortem where the app raises."""
    return replace(how, environment={**how.environment, debugger.VARIABLE: "1"})


def letting(how: Launch, libraries: Sequence[str]) -> Launch:
    """The same, with these libraries let through: in a namespace of its own they would find nobody."""
    let = {live.VARIABLE: ",".join(libraries), isolation.VARIABLE: isolation.GUARDS}
    return replace(how, environment={**how.environment, **let})


def supplying(how: Launch, secrets: Mapping[str, str]) -> Launch:
    """The same, with secrets of the user's in place of their markers."""
    return replace(how, environment={**how.environment, handed.SECRETS: json.dumps(dict(secrets))})


def remembering(how: Launch, earlier: Sequence[tuple[str, str]]) -> Launch:
    """The same, with what earlier requests of the process asked: each is the path of a cassette and a segment's id."""
    named = [(os.path.abspath(path), segment) for path, segment in earlier]
    return replace(how, environment={**how.environment, handed.EARLIER: json.dumps(named)})


def _recorded(segment: Segment) -> str | None:
    app = segment.entry.app if segment.entry is not None else None
    if app is None and (entry := entry_of(segment)) is not None:  # of a segment without its end
        named = entry.request.get("app")
        app = named if isinstance(named, str) else None
    if app is not None and not (app.isprintable() and len(app) <= APP_MAX):
        raise ReplayError("entry.app", f"{app[:50]!r} names no app", "name it: --app module:attribute")
    return app


def _environment(cassette: str, segment: Segment, base: Mapping[str, str], pipe: str, place: Place) -> dict[str, str]:
    environment = {name: value for name, value in base.items() if name not in REMOVED}
    environment |= FORCED
    environment |= {
        "TIMETRACER_CASSETTE": os.path.abspath(cassette),
        handed.SEGMENT: segment.id,
        handed.PATHS: os.pathsep.join(place.paths),
        journal.VARIABLE: pipe,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([place.folder, *places.user_paths(base)])),
    }
    if HASH_SEED.fullmatch(segment.process.hash_seed):
        environment["PYTHONHASHSEED"] = segment.process.hash_seed
    return environment | _regions(segment.process)


def _regions(process: Process) -> dict[str, str]:
    """Where the application has its clients of AWS: it does not start without, though this segment may call none."""
    found = {name: process.variables.get(name, "") for name in REGIONS}
    return {name: value for name, value in found.items() if REGION.fullmatch(value)}
