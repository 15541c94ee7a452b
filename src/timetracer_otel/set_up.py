"""What `doctor` says of OpenTelemetry's own set-up, and of the frameworks whose requests begin a trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Final, Literal

from timetracer_otel import config_file
from timetracer_otel.drivers.registry import DRIVERS
from timetracer_otel.instrumentation import instrumentors, is_off, traces_by_itself
from timetracer_otel.startup import (
    CONFIG_FILE,
    DISABLED,
    DISTRO,
    EXPORTER,
    SWITCHED_OFF,
    TRACES,
    distro,
    has_configurator,
    is_disabled,
    is_distro_unknown,
    is_named,
    misplaced,
    missing_exporters,
    named,
    no_configurator,
)

FRAMEWORKS: Final = ("fastapi", "starlette")

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`. A problem keeps something from being recorded; a note is worth knowing."""

    topic: str
    level: Level
    text: str


def set_up(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Of a process that the launcher starts with `environ`."""
    if is_disabled(environ):
        yield Finding("opentelemetry", "problem", f"{DISABLED}=true switches OpenTelemetry off; unset it")
    yield from _exporter(environ)
    yield from _configurator(environ)
    for missing in missing_exporters(environ):
        level: Level = "note" if missing.is_default else "problem"
        consequence = "the launcher uses none instead" if missing.is_default else "OpenTelemetry will not start"
        yield Finding("exporter", level, f"{missing}: {consequence}; {missing.advice}")


def _exporter(environ: Mapping[str, str]) -> Iterator[Finding]:
    for problem, advice in config_file.problems(environ):
        yield Finding("exporter", "problem", f"{problem}; {advice}")
    if config_file.names_us(environ):
        yield Finding("exporter", "ok", f"{environ[CONFIG_FILE]} names {EXPORTER}")
    elif is_named(environ):
        yield Finding("exporter", "ok", f"{TRACES} names {', '.join(named(environ))}")
    elif others := misplaced(environ):
        yield Finding("exporter", "problem", f"{', '.join(others)} names {EXPORTER} and is not read; use {TRACES}")
    else:
        start = f"start the application with {TRACES}={EXPORTER} opentelemetry-instrument ..."
        yield Finding("exporter", "problem", f"{TRACES} does not name {EXPORTER}: {start}")


def _configurator(environ: Mapping[str, str]) -> Iterator[Finding]:
    if is_distro_unknown(environ):
        text = f"{DISTRO} names {environ[DISTRO]}, which is not installed: OpenTelemetry goes on without a distro"
        yield Finding("opentelemetry", "note", text)
    if has_configurator(environ):
        yield Finding("opentelemetry", "ok", f"set up by {distro(environ) or 'an installed configurator'}")
    else:
        problem, advice = no_configurator(environ)
        text = f"{problem}: only we are set up, with a plain tracer provider; {advice}"
        yield Finding("opentelemetry", "note", text)


# ---- frameworks ------------------------------------------------------------------------------------------------------


def frameworks(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Those installed. Where none makes spans no request is recorded; where one does, the other may be idle."""
    found = {name: _lacks(name, environ) for name in FRAMEWORKS if installed_version(name) is not None}
    level: Level = "note" if None in found.values() else "problem"
    for name, lack in found.items():
        library = f"{name} {installed_version(name)}"
        if lack is None:
            yield Finding(name, "ok", f"{library} is traced")
        else:
            yield Finding(name, level, f"{library}: its requests are not recorded, since {lack}")


def _lacks(name: str, environ: Mapping[str, str]) -> str | None:
    """What keeps its requests from being traced."""
    if traces_by_itself(name):
        return None
    if name not in [one.name for one in instrumentors(DRIVERS["asgi"])]:
        return f"its instrumentor is missing; pip install 'timetracer-otel[{name}]'"
    return f"{SWITCHED_OFF} switches it off; take it out" if is_off(name, environ) else None


def installed_version(distribution: str) -> str | None:
    """None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
