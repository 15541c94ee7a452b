"""A trace from elsewhere -> a store: all of it, or nothing."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from timetracer_otel.cassette import EnvironmentPart, Part, compress, dump_environment, dump_part
from timetracer_otel.store.atomic import make_folder, write_atomically
from timetracer_otel.store.names import (
    PROCESSES,
    environment_files,
    environment_name,
    part_files,
    part_name,
    temporary_name,
    trace_name,
)


def save_trace(root: Path, trace_id: str, parts: Sequence[Part], environments: Sequence[EnvironmentPart]) -> Path:
    """The folder of the trace in the store at `root`, which had none. What it knows of a process already stays.

    Raises OSError, FileExistsError among them if the store has the trace; ValueError if an id or a number is none.
    """
    folder = root / trace_name(trace_id)
    if part_files(folder):
        raise FileExistsError(errno.EEXIST, "the store has this trace already", str(folder))
    files = {part_name(part.segment, part.process.id, part.part): part for part in parts}
    temporary = root / temporary_name(folder.name)
    make_folder(temporary)
    try:
        for name, part in files.items():
            write_atomically(temporary / name, compress(dump_part(part)), durable=True)
        _save_environments(root, environments)
        os.replace(temporary, folder)  # an empty folder, of a writer that was killed, gives way
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def _save_environments(root: Path, environments: Sequence[EnvironmentPart]) -> None:
    known = environment_files(root / PROCESSES)
    for part in environments:
        if part.process.id not in known:
            make_folder(root / PROCESSES)
            path = root / PROCESSES / environment_name(part.process.id, part.part)
            write_atomically(path, compress(dump_environment(part)), durable=True)
