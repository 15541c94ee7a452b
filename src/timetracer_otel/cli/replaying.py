"""`timetracer-otel replay` and `exec`"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.cli import settings
from timetracer_otel.cli.output import json_text
from timetracer_otel.errors import CassetteAmbiguous, CassetteError, CassetteNotFound, UsageError
from timetracer_otel.replay import places, runner
from timetracer_otel.replay.library import heads
from timetracer_otel.replay.report import Report
from timetracer_otel.replay.runner import Options
from timetracer_otel.replay.scripts import of_process
from timetracer_otel.replay.text import render
from timetracer_otel.store.names import PROCESSES

STDOUT: Final = "-"


def print_replay(
    store: str | None, wanted: str, app: str | None, timeout: str | None, pdb: bool, json_file: str | None
) -> int:
    """The exit code of the verdict. Raises TimetracerError when there is nothing to replay."""
    cassette, segment = _chosen(store, wanted)
    is_own = _is_own(cassette.path)
    named = _app(app, segment, is_own)
    options = Options(named, settings.timeout_s(timeout), pdb, is_own)
    _check_file(json_file)
    _tell(places.of_entry(segment.process, is_own, os.environ, is_named=named is not None).ignored)
    report = runner.replay(cassette, segment, options)
    _save(report, json_file)
    if json_file != STDOUT:
        print(render(report), end="")
    return report.exit_code


def print_exec(store: str | None, wanted: str, command: Sequence[str], pdb: bool, json_file: str | None) -> int:
    """The program's exit code, 1 after a miss. The report goes to stderr: stdout is the program's.

    A program need not make every recorded request, so a report that says nothing else is not printed.
    """
    cassette, segment = _chosen(store, wanted)
    is_own = _is_own(cassette.path)
    _check_file(json_file)
    _tell(places.of_program(segment.process, is_own).ignored)
    execution = runner.execute(cassette, segment, command, Options(timeout_s=None, debug=pdb, is_own=is_own))
    _save(execution.report, json_file)
    report = execution.report
    if report.misses or report.uncontrolled or report.reasons:
        print(render(report), end="", file=sys.stderr)
    return execution.exit_code


def _chosen(store: str | None, wanted: str) -> tuple[Cassette, Segment]:
    """Raises CassetteAmbiguous when the trace has several segments and none is named."""
    cassette, segment_id = _opened(store, wanted)
    segments = [each for each in cassette.segments if each.id == segment_id] if segment_id else heads(cassette)
    if len(segments) > 1:
        raise CassetteAmbiguous(wanted, "segment", tuple(_described(each) for each in segments))
    if not segments:
        raise CassetteNotFound(wanted, f"{cassette.path}, which has no segment")
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


def _is_own(path: str) -> bool:
    """True for what a process has recorded into the store that is set up here: not for a bundle that lies there, nor
    for a store that was named for this once."""
    root, found = os.path.realpath(settings.store(None).root), os.path.realpath(path)
    if os.path.isdir(found):
        return os.path.dirname(found) == root
    return os.path.dirname(found) == os.path.join(root, PROCESSES)


def _app(option: str | None, segment: Segment, is_own: bool) -> str | None:
    """As the option says, else as it was recorded, else as the project says; the project comes before a recording that
    is not our own."""
    if option is not None:
        return settings.not_empty("--app", option)
    recorded = segment.entry.app if segment.entry else None
    return None if recorded and is_own else settings.project().app


def _tell(ignored: str) -> None:
    if ignored:
        print(f"timetracer-otel: {ignored}", file=sys.stderr)


def _check_file(path: str | None) -> None:
    """Before the replay: it may take a minute."""
    if path is None or path == STDOUT:
        return
    if settings.file_to_write("--json", path).is_dir():
        raise UsageError("--json", f"{path!r} is a folder", "name a file, or - for stdout")


def _save(report: Report, json_file: str | None) -> None:
    if json_file is None:
        return
    text = json_text(report.to_json()) + "\n"
    if json_file == STDOUT:
        sys.stdout.write(text)
    else:
        Path(json_file).write_text(text, "utf-8")
