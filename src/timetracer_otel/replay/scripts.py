"""What a process did outside of every trace, as a cassette: a script that opens no span of its own has no other.

Its exchanges lie in `processes/` of the store, as those of an application's start-up do. As a cassette they are one
segment, whose root is the process itself, and each of them answers once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from timetracer_otel.cassette import Cassette, EnvironmentPart, merge
from timetracer_otel.cassette.model import Entry, Environment, Exchange, Process, Segment, Span
from timetracer_otel.errors import CassetteAmbiguous
from timetracer_otel.store.names import PROCESSES, environment_files
from timetracer_otel.store.reading import read_process

PREFIX: Final = re.compile(r"[0-9a-f]{1,32}")
NO_TRACE: Final = "0" * 32
CUT: Final = {"environment": "beyond TIMETRACER_ENVIRONMENT_MAX"}
"""Of a trace this is no loss; of a script it is."""


def of_process(root: Path, wanted: str) -> Cassette | None:
    """What the process did that `wanted` names, by the path of its file or the beginning of its id; None if none is so
    called. Raises CassetteError."""
    files = _named_by_path(Path(wanted)) if os.path.isfile(wanted) else _named_by_id(root, wanted.lower())
    return _cassette(read_process(files), str(files[0])) if files else None


def _named_by_path(path: Path) -> Sequence[Path]:
    """All files of the process that one of them belongs to."""
    found = environment_files(path.parent) if path.parent.name == PROCESSES else {}
    return next((files for files in found.values() if path.name in {file.name for file in files}), ())


def _named_by_id(root: Path, wanted: str) -> Sequence[Path]:
    if PREFIX.fullmatch(wanted) is None:
        return ()
    found = {each: files for each, files in environment_files(root / PROCESSES).items() if each.startswith(wanted)}
    if len(found) > 1:
        raise CassetteAmbiguous(wanted, "process", tuple(sorted(found)))
    return next(iter(found.values()), ())


def _cassette(parts: Sequence[EnvironmentPart], path: str) -> Cassette:
    (environment,) = merge(NO_TRACE, [], parts, path).environments.values()
    return Cassette(NO_TRACE, (_segment(environment),), path=path)


def _segment(environment: Environment) -> Segment:
    process = environment.process
    name = " ".join(process.argv) or f"process {process.id[:8]}"
    root = Span(process.id[:16], name, "INTERNAL", process.started_ns, _end_ns(process, environment.exchanges))
    return Segment(
        trace_id=process.id,
        id=root.span_id,
        process=process,
        complete=True,
        spans=(root,),
        exchanges=environment.exchanges,
        entry=Entry("function", name, ""),
        connections=environment.connections,
        dropped=_losses(environment.dropped),
    )


def _end_ns(process: Process, exchanges: Sequence[Exchange]) -> int:
    return process.started_ns + max((each.at_ns + each.duration_ns for each in exchanges), default=0)


def _losses(dropped: Mapping[str, int]) -> dict[str, int]:
    return {CUT.get(reason, reason): count for reason, count in dropped.items()}
