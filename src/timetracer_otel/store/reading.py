"""Files of a store -> parts and cassettes. Whatever is wrong with a file is a CassetteError that names it."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from timetracer_otel.cassette import (
    Cassette,
    EnvironmentPart,
    Loaded,
    Part,
    Process,
    load,
    load_environment,
    load_part,
    merge,
)
from timetracer_otel.cassette.compression import MAX_BYTES
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.store.names import PROCESSES, environment_files, part_files


def read_folder(folder: Path) -> Cassette:
    """The trace whose parts lie in `folder`, with the environments in `../processes`. Raises CassetteError."""
    parts = [read_part(path) for path in part_files(folder)]
    if not parts:
        raise DamagedCassette(str(folder), "the folder holds no part of a trace")
    return _merged(parts, folder)


def read_file(path: Path) -> Cassette:
    """A bundle, or one part with the environments in `../processes`. Raises CassetteError."""
    loaded = _load(path)
    if isinstance(loaded, Cassette):
        return loaded
    if isinstance(loaded, EnvironmentPart):
        raise DamagedCassette(str(path), "it is the environment of a process, not a trace")
    return _merged([loaded], path)


def read_part(path: Path) -> Part:
    """Raises CassetteError."""
    return load_part(_read(path), str(path))


def _merged(parts: Sequence[Part], path: Path) -> Cassette:
    folder = path if path.is_dir() else path.parent
    environments = _environments([part.process for part in parts], folder.absolute().parent / PROCESSES)
    try:
        return merge(parts[0].trace_id, parts, environments, str(path))
    except ValueError as error:
        raise DamagedCassette(str(path), str(error)) from None


def _environments(processes: Iterable[Process], folder: Path) -> list[EnvironmentPart]:
    """Those of the processes and of the processes that they were forked from."""
    files = environment_files(folder)
    waiting = [process_id for process in processes for process_id in (process.id, process.parent)]
    found: list[EnvironmentPart] = []
    while waiting:
        for path in files.pop(waiting.pop() or "", ()):
            part = load_environment(_read(path), str(path))
            found.append(part)
            waiting.append(part.process.parent)
    return found


def _load(path: Path) -> Loaded:
    return load(_read(path), str(path))


def _read(path: Path) -> bytes:
    try:
        found = path.stat()
        # A pipe would keep us waiting, and a device has no end; of a folder the system says it.
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise DamagedCassette(str(path), "it is no regular file")
        if found.st_size > MAX_BYTES:
            raise DamagedCassette(str(path), "it is larger than any cassette")
        return path.read_bytes()
    except OSError as error:
        raise DamagedCassette(str(path), f"it cannot be read ({error.strerror})") from None
