"""`timetracer-otel replay` and `exec`"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.cli import settings
from timetracer_otel.cli.letting import libraries, tell_uncovered
from timetracer_otel.cli.reports import NO_FILES, Files, print_report
from timetracer_otel.cli.task import Task
from timetracer_otel.errors import CassetteAmbiguous, CassetteError, ReplayError
from timetracer_otel.replay import places, runner
from timetracer_otel.replay.ignoring import Wishes
from timetracer_otel.replay.library import heads
from timetracer_otel.replay.runner import Options
from timetracer_otel.replay.scripts import of_process
from timetracer_otel.store.names import PROCESSES


def task(
    cassette: str,
    store: str | None = None,
    app: str | None = None,
    timeout: str | None = None,
    pdb: bool = False,
    files: Files = NO_FILES,
    live: Sequence[str] = (),
    ignore: Sequence[str] = (),
    chunks: bool = False,
    secrets: Sequence[str] = (),
    earlier: Sequence[str] = (),
) -> Task:
    """Replays one cassette. Raises UsageError for an option, or one of the project's, that cannot be."""
    wishes, supplied = settings.wishes(ignore, chunks), settings.secrets(secrets)
    return partial(print_replay, store, cassette, app, timeout, pdb, files, tuple(live), wishes, supplied, earlier)


def print_replay(
    store: str | None,
    wanted: str,
    app: str | None,
    timeout: str | None,
    pdb: bool,
    files: Files,
    live: Sequence[str],
    wishes: Wishes,
    secrets: Mapping[str, str],
    earlier: Sequence[str],
) -> int:
    """The exit code of the verdict. Raises TimetracerError when there is nothing to replay."""
    cassette, segment = chosen(store, wanted)
    own = is_own(cassette.path)
    named = app_of(app, segment, own)
    beside = os.path.dirname(cassette.path) if os.path.isdir(cassette.path) else store
    options = Options(
        app=named,
        timeout_s=settings.timeout_s(timeout),
        debug=pdb,
        is_own=own,
        wishes=wishes,
        live=libraries(live),
        secrets=secrets,
        earlier=tuple(_earlier(beside, each, segment) for each in earlier),
    )
    files.check()
    tell_uncovered(segment, live)
    _tell(places.of_entry(segment.process, own, os.environ, is_named=named is not None).ignored)
    began_s = time.monotonic()
    report = runner.replay(cassette, segment, options)
    from timetracer_otel.replay.summary import Result, Summary  # here: loaded while the replay ran
    from timetracer_otel.replay.text import render

    if report.misses:
        from timetracer_otel.replay.earlier import with_earlier  # with redaction, of which other reports have no need

        report = with_earlier(report, cassette, segment)
    result = Result(segment.name, report, duration_s=time.monotonic() - began_s)
    files.save(Summary((result,)), report.to_json())
    if not files.takes_stdout:
        print_report(render(report))
    return report.exit_code


def _earlier(store: str | None, wanted: str, segment: Segment) -> tuple[str, str]:
    """The path of its cassette, and its id. Raises UsageError."""
    from timetracer_otel.replay.earlier import segment_of

    cassette, named = settings.open_cassette(store, settings.not_empty("--earlier", wanted))
    return cassette.path, segment_of(cassette, named, segment).id


def print_exec(store: str | None, wanted: str, command: Sequence[str], pdb: bool, json_file: str | None) -> int:
    """The program's exit code, 1 after a miss. The report goes to stderr: stdout is the program's.

    A program need not make every recorded request, so a report that says nothing else is not printed.
    """
    cassette, segment = chosen(store, wanted)
    own, files = is_own(cassette.path), Files(json=json_file)
    files.check()
    _tell(places.of_program(segment.process, own).ignored)
    execution = runner.execute(cassette, segment, command, Options(timeout_s=None, debug=pdb, is_own=own))
    report = execution.report
    from timetracer_otel.replay.summary import Result, Summary
    from timetracer_otel.replay.text import render

    files.save(Summary((Result(segment.name, report),)), report.to_json())
    if report.misses or report.moved or report.uncontrolled or report.reasons:
        print(render(report), end="", file=sys.stderr)
    return execution.exit_code


def chosen(store: str | None, wanted: str) -> tuple[Cassette, Segment]:
    """Raises CassetteAmbiguous when the trace has several segments and none is named."""
    cassette, segment_id = _opened(store, wanted)
    segments = [each for each in cassette.segments if each.id == segment_id] if segment_id else heads(cassette)
    if len(segments) > 1:
        raise CassetteAmbiguous(wanted, "segment", tuple(_described(each) for each in segments))
    if not segments:
        raise ReplayError(wanted, "the recording holds no segment", "record again, with a request or a task")
    return cassette, segments[0]


def _opened(store: str | None, wanted: str) -> tuple[Cassette, str | None]:
    """Where there is no such trace, a process without one."""
    try:
        return settings.open_cassette(store, wanted)
    except CassetteError:
        if (found := of_process(settings.store(store).root, wanted)) is None:
            raise
        return found, None


def _described(segment: Segment) -> str:
    return f"{segment.name} {segment.entry.name}" if segment.entry else segment.name


def is_own(path: str) -> bool:
    """True for what a process has recorded into the store that is set up here: not for a bundle that lies there, nor
    for a store that was named for this once."""
    root, found = os.path.realpath(settings.store(None).root), os.path.realpath(path)
    if os.path.isdir(found):
        return os.path.dirname(found) == root
    return os.path.dirname(found) == os.path.join(root, PROCESSES)


def app_of(option: str | None, segment: Segment, own: bool) -> str | None:
    """As the option says, else as it was recorded, else as the project says; the project comes before a recording that
    is not our own."""
    if option is not None:
        return settings.not_empty("--app", option)
    recorded = segment.entry.app if segment.entry else None
    return None if recorded and own else settings.project().app


def _tell(ignored: str) -> None:
    if ignored:
        print(f"timetracer-otel: {ignored}", file=sys.stderr)
