"""Files of a store -> parts and cassettes. Whatever is wrong with a file is a CassetteError that names it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from timetracer_otel.cassette import (
    Cassette,
    EnvironmentPart,
    Part,
    Process,
    load,
    load_environment,
    load_part,
    merge,
)
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.store.files import read_regular
from timetracer_otel.store.names import PROCESSES, environment_files, part_files
from timetracer_otel.store.resolving import Resolver


class Opening(NamedTuple):
    """What all files of one cassette share while it is opened; without it each file stands for itself."""

    blobs: Resolver
    allowance: Allowance


def read_folder(folder: Path) -> Cassette:
    """The trace whose parts lie in `folder`, with the environments in `../processes`, the blobs in `../blobs`.

    Raises CassetteError.
    """
    opening = Opening(Resolver(_store_of(folder)), Allowance())
    parts = [load_part(read(path), str(path), *opening) for path in part_files(folder)]
    if not parts:
        raise DamagedCassette(str(folder), "the folder holds no part of a trace")
    return _merged(parts, folder, opening)


def read_file(path: Path) -> Cassette:
    """A bundle, or one part with the environments in `../processes`, the blobs in `../blobs`. Raises CassetteError."""
    opening = Opening(Resolver(_store_of(path.parent)), Allowance())
    loaded = load(read(path), str(path), *opening)
    if isinstance(loaded, Cassette):
        return loaded
    if isinstance(loaded, EnvironmentPart):
        raise DamagedCassette(str(path), "it is the environment of a process, not a trace (`exec` takes it)")
    return _merged([loaded], path, opening)


def read_process(files: Sequence[Path]) -> list[EnvironmentPart]:
    """The environment of one process, from its files in `processes/`, with `../blobs`. Raises CassetteError."""
    opening = Opening(Resolver(_store_of(files[0].parent)), Allowance())
    return [load_environment(read(path), str(path), *opening) for path in files]


def read_part(path: Path, allowance: Allowance) -> Part:
    """What lies beside it is not read: see `cassette.load`. Raises CassetteError."""
    return load_part(read(path), str(path), None, allowance)


def _merged(parts: Sequence[Part], path: Path, opening: Opening) -> Cassette:
    folder = path if path.is_dir() else path.parent
    environments = _environments([part.process for part in parts], _store_of(folder), opening)
    try:
        return merge(parts[0].trace_id, parts, environments, str(path))
    except ValueError as error:
        raise DamagedCassette(str(path), str(error)) from None


def _environments(processes: Iterable[Process], store: Path, opening: Opening) -> list[EnvironmentPart]:
    """Those of the processes and of the processes that they were forked from."""
    files = environment_files(store / PROCESSES)
    waiting = [process_id for process in processes for process_id in (process.id, process.parent)]
    found: list[EnvironmentPart] = []
    while waiting:
        for path in files.pop(waiting.pop() or "", ()):
            part = load_environment(read(path), str(path), *opening)
            found.append(part)
            waiting.append(part.process.parent)
    return found


def _store_of(folder: Path) -> Path:
    return folder.absolute().parent


def read(path: Path) -> bytes:
    """The file as it is. Raises DamagedCassette."""
    try:
        return read_regular(path)
    except FileNotFoundError as error:
        raise DamagedCassette(str(path), f"it cannot be read ({error.strerror})") from None
