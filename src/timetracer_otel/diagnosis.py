"""What `doctor` says: would this environment record, with which taps and limits, where to, and what was lost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from timetracer_otel.config import GIB, KIB, MIB, Keep, Settings
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.errors import CassetteError, TimetracerError, UsageError
from timetracer_otel.instrumentation import instrumentors, is_off
from timetracer_otel.redaction import load_rules
from timetracer_otel.set_up import Finding, frameworks, installed_version, set_up
from timetracer_otel.startup import SWITCHED_OFF
from timetracer_otel.store import Store, TraceSummary
from timetracer_otel.store.limits import file_sizes, free_bytes, nearest

NEWEST_TRACES: Final = 100
"""Of so many traces the losses are summed."""
THREADS: Final = "opentelemetry-instrumentation-threading"


def diagnose(environ: Mapping[str, str]) -> list[Finding]:
    """What a process that the launcher starts with `environ` would do; whether it records comes first.

    The taps of the installed drivers are put in and taken out again, so this is for a process of its own.
    """
    try:
        settings = Settings.from_environment(environ)
        load_rules(settings.redact)
    except UsageError as error:
        return [Finding("recording", "problem", f"off: {error}")]
    parts = [*set_up(environ), *frameworks(environ), *_drivers(environ)]
    root = Path(settings.store).absolute()
    room = list(_room(settings, root))
    verdict = _verdict(settings, [*parts, *room])
    return [verdict, *parts, *_choices(settings), *_limits(settings), *room, *_contents(root)]


def _verdict(settings: Settings, findings: list[Finding]) -> Finding:
    if settings.mode != "record":
        return Finding("recording", "note", f"off: TIMETRACER_MODE is {settings.mode}")
    problems = [finding for finding in findings if finding.level == "problem"]
    if problems:
        return Finding("recording", "problem", f"not with this environment: {problems[0].text}")
    return Finding("recording", "ok", f"yes, with this environment, into {os.path.abspath(settings.store)}")


# ---- drivers ---------------------------------------------------------------------------------------------------------


def _drivers(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, driver in registry.DRIVERS.items():
        yield _driver(name, driver, environ)
    if installed_version(THREADS) is None:
        yield Finding("threads", "note", f"work in other threads is not recorded; pip install {THREADS}")


def _driver(name: str, driver: registry.Driver, environ: Mapping[str, str]) -> Finding:
    name_of_library, version = _installed(driver)
    instrumentor = _instrumentor(driver)
    library = f"{name_of_library} {version}" if version is not None else "Python's own modules"
    if version is None and not _traces_python(driver):
        return Finding(name, "note", f"{driver.library} is not installed")
    if instrumentor is None:
        package = f"pip install 'timetracer-otel[{name}]'"
        return Finding(name, "problem", f"{library} is installed without its instrumentor: not recorded; {package}")
    if driver.asks and all(is_off(one.name, environ) for one in instrumentors(driver)):
        return Finding(name, "problem", f"{library}: {SWITCHED_OFF} switches it off: not recorded; take it out")
    missing = _missing_names(name)
    if missing is not None:
        return Finding(name, "problem", str(missing))
    return Finding(name, "ok", f"{library}, {instrumentor}, tap fits")


def _installed(driver: registry.Driver) -> tuple[str, str | None]:
    """The first of the driver's libraries that is there, with its version."""
    versions = ((name, installed_version(name)) for name in (driver.library, *driver.others))
    return next((found for found in versions if found[1] is not None), (driver.library, None))


def _traces_python(driver: registry.Driver) -> bool:
    return any(one.value.rpartition(":")[2] == driver.of_python for one in instrumentors(driver))


def _instrumentor(driver: registry.Driver) -> str | None:
    """Name and version of the distribution that brings one of the driver's instrumentors."""
    for one in instrumentors(driver):
        if one.dist is not None:
            return f"{one.dist.name} {one.dist.version}"
    return None if driver.asks else driver.library


def _missing_names(name: str) -> MissingNames | None:
    recording = registry.recording(name)
    try:
        recording.install()
    except MissingNames as error:
        return error
    recording.uninstall()
    return None


# ---- settings --------------------------------------------------------------------------------------------------------


def _choices(settings: Settings) -> Iterator[Finding]:
    sampled = (
        "also what is not sampled (TIMETRACER_RECORD_UNSAMPLED)" if settings.record_unsampled else "what is sampled"
    )
    yield Finding("recorded", "ok", f"{sampled}; keeps {_kept(settings.keep)}, writes {settings.write}")
    rules = f"the built-in rules and those of {settings.redact}" if settings.redact else "the built-in rules"
    yield Finding("redaction", "ok", rules)


def _kept(keep: Keep) -> str:
    if keep.everything:
        return "everything"
    slow = f"what takes {keep.slow_ns / 1e6:g} ms" if keep.slow_ns is not None else ""
    share = f"one trace in {keep.one_in}" if keep.one_in is not None else ""
    return ", ".join(filter(None, ("errors" if keep.errors else "", slow, share)))


# ---- limits and store ------------------------------------------------------------------------------------------------


def _limits(settings: Settings) -> Iterator[Finding]:
    sizes = {
        "payload": settings.payload_max_bytes,
        "trace": settings.trace_max_bytes,
        "in flight": settings.in_flight_max_bytes,
        "environment": settings.environment_max_bytes,
        "store": settings.store_max_bytes,
        "left free": settings.free_min_bytes,
    }
    yield Finding("limits", "ok", ", ".join(f"{name} {size_text(size)}" for name, size in sizes.items()))


def _room(settings: Settings, root: Path) -> Iterator[Finding]:
    problem = _unwritable(root)
    if problem is not None:
        yield Finding("store", "problem", f"{root}: {problem}; nothing can be written, set TIMETRACER_STORE")
        return
    free = free_bytes(root)
    if not root.exists():
        yield Finding("store", "ok", f"{root}: will be made by the first recording, {size_text(free)} free")
    else:
        sizes, limit = list(file_sizes(root)), settings.store_max_bytes
        fill = f"{len(sizes)} files, {size_text(sum(sizes))} of {size_text(limit)}, {size_text(free)} free"
        yield Finding("store", "ok", f"{root}: {fill}")
        if sum(sizes) >= limit:
            advice = "nothing is written until there is room; see `timetracer-otel prune`, or set TIMETRACER_STORE_MAX"
            yield Finding("store", "problem", f"{root} is full: {advice}")
    if free < settings.free_min_bytes:
        advice = f"less than {size_text(settings.free_min_bytes)}: nothing is written; see TIMETRACER_FREE_MIN"
        yield Finding("store", "problem", f"its disk has {size_text(free)} free, {advice}")


def _contents(root: Path) -> Iterator[Finding]:
    if _unwritable(root) is None:
        yield from _pending(root)
        yield from _losses(root)


def _pending(root: Path) -> Iterator[Finding]:
    try:
        found = Store(root).unfinished()
    except OSError as error:
        yield Finding("pending", "problem", str(error))
        return
    if found.processes:
        text = f"processes that may record into it now: {found.processes}, with {found.living} unfinished segments"
        yield Finding("pending", "ok", text)
    if found.dead:
        text = f"unfinished segments of processes that ended: {found.dead}; `timetracer-otel list` adopts them"
        yield Finding("pending", "note", text)


def _unwritable(root: Path) -> str | None:
    place = nearest(root)
    if not place.is_dir():
        return f"{place} is a file"
    return None if os.access(place, os.W_OK | os.X_OK) else f"no right to write in {place}"


def _losses(root: Path) -> Iterator[Finding]:
    try:
        listing = Store(root).list_traces()
    except (OSError, TimetracerError) as error:
        yield Finding("store", "problem", str(error))
        return
    for problem in listing.problems:
        yield Finding("store", "problem", problem)
    newest = listing.traces[:NEWEST_TRACES]
    if losses := _dropped(root, newest):
        yield Finding("losses", "note", f"in the newest {len(newest)} traces: {_counted(losses)}")
    elif newest:
        yield Finding("losses", "ok", f"none in the newest {len(newest)} traces")
    if untold := Store(root).untold_losses():
        yield Finding("losses", "note", f"in no part yet, the next one will say it: {_counted(untold)}")


def _dropped(root: Path, traces: Iterable[TraceSummary]) -> Counter[str]:
    """Traces of one process have its environment in common."""
    losses, environments = Counter[str](), dict[str, Mapping[str, int]]()
    for trace in traces:
        with suppress(CassetteError):  # the listing names it
            cassette, _ = Store(root).open_cassette(trace.trace_id)
            for segment in cassette.segments:
                losses.update(segment.dropped)
            environments |= {each.process.id: each.dropped for each in cassette.environments.values()}
    return sum(map(Counter, environments.values()), losses)


def _counted(losses: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(losses.items()))


def size_text(size: int) -> str:
    """`64 MiB`, `1.5 KiB`, `12 B`."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} B"
