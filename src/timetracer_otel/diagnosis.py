"""What `doctor` says: would this environment record, with which taps and limits, where to, and what was lost."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from timetracer_otel.config import GIB, KIB, MIB, Settings
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.errors import CassetteError, TimetracerError, UsageError
from timetracer_otel.startup import (
    DISABLED,
    EXPORTER,
    TRACES,
    distro,
    has_configurator,
    is_disabled,
    is_named,
    missing_exporters,
)
from timetracer_otel.store import Store

NEWEST_TRACES: Final = 100
"""Of so many traces the losses are summed."""
THREADS: Final = "opentelemetry-instrumentation-threading"

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`. A problem keeps something from being recorded; a note is worth knowing."""

    topic: str
    level: Level
    text: str


def diagnose(environ: Mapping[str, str]) -> list[Finding]:
    """What a process that the launcher starts with `environ` would do; whether it records comes first.

    The taps of the installed drivers are put in and taken out again, so this is for a process of its own.
    """
    try:
        settings = Settings.from_environment(environ)
    except UsageError as error:
        return [Finding("recording", "problem", f"off: {error}")]
    set_up, drivers = list(_set_up(environ)), list(_drivers())
    return [_verdict(settings, [*set_up, *drivers]), *set_up, *drivers, *_limits(settings), *_store(settings)]


def _verdict(settings: Settings, findings: list[Finding]) -> Finding:
    if settings.mode != "record":
        return Finding("recording", "note", f"off: TIMETRACER_MODE is {settings.mode}")
    problems = [finding for finding in findings if finding.level == "problem"]
    if problems:
        return Finding("recording", "problem", f"not with this environment: {problems[0].text}")
    return Finding("recording", "ok", f"yes, with this environment, into {os.path.abspath(settings.store)}")


# ---- OpenTelemetry's own set-up --------------------------------------------------------------------------------------


def _set_up(environ: Mapping[str, str]) -> Iterator[Finding]:
    if is_disabled(environ):
        yield Finding("opentelemetry", "problem", f"{DISABLED}=true switches OpenTelemetry off; unset it")
    if is_named(environ):
        yield Finding("exporter", "ok", f"{TRACES} names {EXPORTER}")
    else:
        start = f"start the application with {TRACES}={EXPORTER} opentelemetry-instrument ..."
        yield Finding("exporter", "problem", f"{TRACES} does not name {EXPORTER}: {start}")
    yield _configurator(environ)
    for missing in missing_exporters(environ):
        level: Level = "note" if missing.is_default else "problem"
        consequence = "the launcher uses none instead" if missing.is_default else "OpenTelemetry will not start"
        yield Finding("exporter", level, f"{missing}: {consequence}; {missing.advice}")


def _configurator(environ: Mapping[str, str]) -> Finding:
    if not has_configurator(environ):
        text = "no configurator is installed: only we are set up, with a plain tracer provider"
        return Finding("opentelemetry", "note", f"{text}; pip install opentelemetry-distro")
    return Finding("opentelemetry", "ok", f"set up by {distro(environ) or 'an installed configurator'}")


# ---- drivers ---------------------------------------------------------------------------------------------------------


def _drivers() -> Iterator[Finding]:
    for name, driver in registry.DRIVERS.items():
        yield _driver(name, driver)
    if installed_version(THREADS) is None:
        yield Finding("threads", "note", f"work in other threads is not recorded; pip install {THREADS}")


def _driver(name: str, driver: registry.Driver) -> Finding:
    version, instrumentor = installed_version(driver.library), _instrumentor(driver)
    library = f"{driver.library} {version}"
    if version is None:
        return Finding(name, "note", f"{driver.library} is not installed")
    if instrumentor is None:
        package = f"pip install 'timetracer-otel[{name}]'"
        return Finding(name, "problem", f"{library} is installed without its instrumentor: not recorded; {package}")
    missing = _missing_names(name)
    if missing is not None:
        return Finding(name, "problem", str(missing))
    return Finding(name, "ok", f"{library}, {instrumentor}, tap fits")


def _instrumentor(driver: registry.Driver) -> str | None:
    """Name and version of the distribution that brings one of the driver's instrumentors."""
    for one in metadata.entry_points(group="opentelemetry_instrumentor"):
        if one.value.rpartition(":")[2] in driver.instrumentors and one.dist is not None:
            return f"{one.dist.name} {one.dist.version}"
    return driver.library if driver.is_entry else None


def _missing_names(name: str) -> MissingNames | None:
    recording = registry.recording(name)
    try:
        recording.install()
    except MissingNames as error:
        return error
    recording.uninstall()
    return None


def installed_version(distribution: str) -> str | None:
    """None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


# ---- limits and store ------------------------------------------------------------------------------------------------


def _limits(settings: Settings) -> Iterator[Finding]:
    sizes = {
        "payload": settings.payload_max_bytes,
        "trace": settings.trace_max_bytes,
        "in flight": settings.in_flight_max_bytes,
        "environment": settings.environment_max_bytes,
    }
    yield Finding("limits", "ok", ", ".join(f"{name} {size_text(size)}" for name, size in sizes.items()))
    kept = "everything" if settings.keep.everything else "errors"
    yield Finding("limits", "ok", f"keeps {kept}, writes {settings.write}")


def _store(settings: Settings) -> Iterator[Finding]:
    root = Path(settings.store).absolute()
    problem = _unwritable(root)
    if problem is not None:
        yield Finding("store", "problem", f"{root}: {problem}; nothing can be written, set TIMETRACER_STORE")
        return
    free = size_text(shutil.disk_usage(_existing(root)).free)
    if not root.exists():
        yield Finding("store", "ok", f"{root}: will be made by the first recording, {free} free")
        return
    files, size = _usage(root)
    yield Finding("store", "ok", f"{root}: {files} files, {size_text(size)}, {free} free")
    yield from _losses(root)


def _unwritable(root: Path) -> str | None:
    place = _existing(root)
    if not place.is_dir():
        return f"{place} is a file"
    return None if os.access(place, os.W_OK | os.X_OK) else f"no right to write in {place}"


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _usage(root: Path) -> tuple[int, int]:
    files = size = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with suppress(OSError):  # a writer has just renamed it
                size += os.stat(os.path.join(folder, name)).st_size
                files += 1
    return files, size


def _losses(root: Path) -> Iterator[Finding]:
    try:
        listing = Store(root).list_traces()
    except (OSError, TimetracerError) as error:
        yield Finding("store", "problem", str(error))
        return
    for problem in listing.problems:
        yield Finding("store", "problem", problem)
    newest, losses = listing.traces[:NEWEST_TRACES], Counter[str]()
    for trace in newest:
        losses += _dropped(root, trace.trace_id)
    if losses:
        lost = ", ".join(f"{reason} {count}" for reason, count in sorted(losses.items()))
        yield Finding("losses", "note", f"in the newest {len(newest)} traces: {lost}")
    elif newest:
        yield Finding("losses", "ok", f"none in the newest {len(newest)} traces")


def _dropped(root: Path, trace_id: str) -> Counter[str]:
    try:
        cassette, _ = Store(root).open_cassette(trace_id)
    except CassetteError:  # the listing names it
        return Counter()
    segments = sum((Counter(segment.dropped) for segment in cassette.segments), Counter[str]())
    return sum((Counter(environment.dropped) for environment in cassette.environments.values()), segments)


def size_text(size: int) -> str:
    """`64 MiB`, `1.5 KiB`, `12 B`."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} B"
