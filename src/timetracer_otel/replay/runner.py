"""Runs a replay from outside: starts the process, reads its journal, ends it in time, builds the report."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from timetracer_otel.capture.process import versions
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.errors import ReplayError, UsageError
from timetracer_otel.replay import isolation, launch, places
from timetracer_otel.replay.changes import changes_since, with_added
from timetracer_otel.replay.ignoring import NONE, Wishes, applied
from timetracer_otel.replay.journal import Event, Reader
from timetracer_otel.replay.launch import Launch
from timetracer_otel.replay.waiting import Running

if TYPE_CHECKING:
    from timetracer_otel.replay.report import Report

TIMEOUT_S: Final = 60.0
BREAKPOINT: Final = "PYTHONBREAKPOINT"
REPORT: Final = "timetracer_otel.replay.text"
"""With all that it needs."""
OUTPUT_MAX: Final = 2_000
"""Bytes of what an app printed last that are looked at where its replay could not start."""
DRAIN_S: Final = 2.0
"""How long the pipe may stay open after the process has ended: by children that it left behind."""


@dataclass(frozen=True, slots=True)
class Options:
    app: str | None = None
    """`module:attribute` or `module:factory()`; None: as recorded."""
    timeout_s: float | None = TIMEOUT_S
    """None: as long as it takes."""
    debug: bool = False
    """Stop where the app raises, with our terminal."""
    is_own: bool = False
    """The recording lies in the user's store, and may choose as `places` says."""
    wishes: Wishes = NONE
    live: tuple[str, ...] = ()
    """Packages that are let through to the network."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """In place of markers of the entry, by name: a value, or `module:function()` that gives it."""
    earlier: tuple[tuple[str, str], ...] = ()
    """Segments of the same process that may answer too: the paths of their cassettes, and their ids."""
    output: int | None = None
    """Descriptor of a file for what the app prints; None: stderr."""
    stopped: threading.Event | None = None
    """Set by another thread to end the replay, which raises KeyboardInterrupt then."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What came of `exec`."""

    report: Report
    status: int
    """The program's own exit code; 128 + n when signal n ended it."""

    @property
    def exit_code(self) -> int:
        """1 after a miss or a request in another transaction, whatever the program made of it; else its own."""
        return 1 if self.report.misses or self.report.moved else self.status


@dataclass(frozen=True, slots=True)
class Ended:
    events: list[Event] = field(default_factory=list)
    status: int = 0
    why: str | None = None
    """How it ended before its time; None when it reached its end."""


def replay(cassette: Cassette, segment: Segment, options: Options = Options()) -> Report:
    """Runs the recorded entry again in a fresh process without a network. Raises ReplayError when it cannot start."""

    def entry(pipe: str) -> Launch:
        return launch.entry(cassette.path, segment, options.app, os.environ, pipe, options.is_own)

    ended = _run(entry, options, is_program=False)
    _raise_error(ended)
    _raise_without_start(ended)
    _export(ended.events)
    from timetracer_otel.replay.report import build

    changed = changes_since(segment.process, with_added(ended.events))
    why = ended.why or _without_outcome(ended, options.output)
    folder = _elsewhere(segment, options)
    return build(cassette, segment, applied(ended.events, options.wishes), why, changed=changed, folder=folder)


def _elsewhere(segment: Segment, options: Options) -> str:
    """The folder whose code ran; empty for the current one."""
    place = places.of_entry(segment.process, options.is_own, os.environ, is_named=options.app is not None)
    return "" if os.path.realpath(place.folder) == os.path.realpath(os.getcwd()) else place.folder


def execute(
    cassette: Cassette,
    segment: Segment,
    command: Sequence[str],
    options: Options = Options(timeout_s=None),
) -> Execution:
    """Runs any program with answers from the segment. Raises ReplayError when it cannot start."""

    if shutil.which(command[0]) is None:
        raise UsageError("exec", f"no program {command[0]!r}", "give a path or a name on PATH, after --")

    def program(pipe: str) -> Launch:
        return launch.program(cassette.path, segment, command, os.environ, pipe, options.is_own)

    ended = _run(program, options, is_program=True)
    _raise_error(ended)
    _export(ended.events)
    from timetracer_otel.replay.report import build

    changed = changes_since(segment.process, with_added(ended.events))
    report = build(cassette, segment, ended.events, ended.why, has_entry=False, changed=changed)
    return Execution(report, ended.status if ended.status >= 0 else 128 - ended.status)


def _export(events: Sequence[Event]) -> None:
    """Most replays export to nobody, and need not load OpenTelemetry's SDK for it."""
    if os.environ.get("OTEL_TRACES_EXPORTER"):
        from timetracer_otel.replay import spans_out

        spans_out.export(event["span"] for event in events if event["event"] == "span")


def _without_outcome(ended: Ended, output: int | None) -> str | None:
    if ended.status == 0 or any(event["event"] == "outcome" for event in ended.events):
        return None
    how = f"the replay ended with exit code {ended.status} before its outcome was known"
    if output is None:
        return f"{how}; what it printed is above"
    last = last_line(output)
    return f"{how}; it printed last: {last}" if last else how


def last_line(output: int) -> str:
    """Of what an app printed into this file: why it did not start; empty where it printed nothing."""
    start = max(0, os.fstat(output).st_size - OUTPUT_MAX)
    lines = os.pread(output, OUTPUT_MAX, start).decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _raise_error(ended: Ended) -> None:
    """A replay that could not start has no verdict; unless a miss is why."""
    error = next((event for event in ended.events if event["event"] == "error"), None)
    if error is not None and not any(event["event"] in ("miss", "incomplete") for event in ended.events):
        raise ReplayError(error["where"], error["problem"], error["advice"])


def _raise_without_start(ended: Ended) -> None:
    if ended.why is None or any(event["event"] in ("started", "error") for event in ended.events):
        return
    advice = "see the lines above; OpenTelemetry's launcher and timetracer-otel must be installed side by side"
    raise ReplayError("replay", f"nothing began to replay ({ended.why})", advice)


def _check_isolation() -> None:
    allowed = (isolation.NAMESPACE, isolation.GUARDS)
    value = os.environ.get(isolation.VARIABLE) or isolation.NAMESPACE
    if value not in allowed:
        raise UsageError(isolation.VARIABLE, f"{value!r} is not one of {', '.join(allowed)}", "correct or unset it")


def _run(launching: Callable[[str], Launch], options: Options, is_program: bool) -> Ended:
    _check_isolation()
    with tempfile.TemporaryDirectory(prefix="timetracer-") as folder:
        reader = Reader(os.path.join(folder, "journal"))
        how = launching(reader.path)
        if options.debug:
            how = launch.debugged(how)
        if options.live:
            how = launch.letting(how, options.live)
        if options.earlier:
            how = launch.remembering(how, options.earlier)
        if options.secrets:
            how = launch.supplying(how, options.secrets)
        running = Running(how, is_program, has_terminal=is_program or options.debug, output=options.output)
        threading.Thread(target=_prepare, daemon=True).start()
        why = running.wait(_limit_s(options), lambda: _is_paused(reader, options.stopped))
        events = reader.finish(DRAIN_S)
    return Ended(events, running.status, why or _unfinished(events, running, is_program))


def _prepare() -> None:
    """What the report will need, while the replaying process starts, which takes longer."""
    importlib.import_module(REPORT)
    versions()


def _is_paused(reader: Reader, stopped: threading.Event | None) -> bool:
    if stopped is not None and stopped.is_set():
        raise KeyboardInterrupt
    return reader.is_debugging


def _limit_s(options: Options) -> float | None:
    """Another debugger than pdb does not tell when it is open."""
    is_ours = os.environ.get(BREAKPOINT, "") in ("", "0", "pdb.set_trace")
    return options.timeout_s if is_ours or not options.debug else None


def _unfinished(events: Sequence[Event], running: Running, is_program: bool) -> str | None:
    """None when the process came to its end. That of `exec` may be a shell, whose end nobody tells us."""
    ends = [event["process"] for event in events if event["event"] == "done"]
    if running.process_id in ends or (is_program and ends):
        return None
    if is_program and not any(event["event"] == "started" for event in events):
        return "nothing of the program was replayed: it started no Python that has timetracer-otel"
    status = running.status
    how = f"signal {-status}" if status < 0 else f"exit code {status}"
    return f"the replaying process ended early, with {how}"
