"""Names in a store. Only what has one of these names is ever read; temporary files begin with a dot and have none."""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Final

PROCESSES: Final = "processes"
PENDING: Final = "pending"
BLOBS: Final = "blobs"
LOSSES: Final = "losses.json"
"""In the folder of a process in `pending/`."""

_PART: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}\.[0-9]+\.json(\.zst)?")
_ENVIRONMENT: Final = re.compile(r"[0-9a-f]{32}\.[0-9]+\.json(\.zst)?")
_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_HELD: Final = re.compile(rf"{_TRACE.pattern}\.{_PART.pattern}")
_SPOOL: Final = re.compile(rf"{_TRACE.pattern}\.[0-9a-f]{{16}}-[0-9a-f]{{8}}\.[0-9]+\.spool")
_PROCESS: Final = re.compile(r"[0-9a-f]{32}")
_BLOB: Final = re.compile(r"[0-9a-f]{64}")
_NEW_BLOB: Final = re.compile(r"[0-9a-f]{16}\.blob")
_TEMPORARY: Final = re.compile(r"\..+\.[0-9]+-[0-9a-f]{8}\.tmp")


def part_name(root_span_id: str, process_id: str, number: int) -> str:
    """Raises ValueError if an id is none: it would be a path of somebody else's choice."""
    return _checked(_PART, f"{root_span_id}-{process_id[:8]}.{number}.json.zst")


def environment_name(process_id: str, number: int) -> str:
    """Raises ValueError if the id is none."""
    return _checked(_ENVIRONMENT, f"{process_id}.{number}.json.zst")


def trace_name(trace_id: str) -> str:
    """Raises ValueError if the id is none."""
    return _checked(_TRACE, trace_id)


def process_name(process_id: str) -> str:
    """Of the folder of one process in `pending/`. Raises ValueError if the id is none."""
    return _checked(_PROCESS, process_id)


def blob_name(sha256: str) -> str:
    """Raises ValueError if it is no hash."""
    return _checked(_BLOB, sha256)


def held_name(trace_id: str, name: str) -> str:
    """Of a part in the folder of a process in `pending/`. Raises ValueError if an id is none."""
    return _checked(_HELD, f"{trace_id}.{name}")


def spool_name(trace_id: str, root_span_id: str, process_id: str, number: int) -> str:
    """Of what is captured for that part before it is written. Raises ValueError if an id is none."""
    return _checked(_SPOOL, f"{trace_id}.{root_span_id}-{process_id[:8]}.{number}.spool")


def home_of_held(name: str) -> tuple[str, str] | None:
    """Trace and part that a held part's name says; None if it is no held part's."""
    return _home(name) if _HELD.fullmatch(name) else None


def home_of_spool(name: str) -> tuple[str, str] | None:
    """Trace and part that a spool becomes; None if `name` is no spool's."""
    return _home(f"{name.removesuffix('.spool')}.json.zst") if _SPOOL.fullmatch(name) else None


def new_blob_name() -> str:
    """Of a blob in the folder of a process, before its hash is known."""
    return f"{os.urandom(8).hex()}.blob"


def temporary_name(name: str) -> str:
    """Of what will be called `name`, or was: nobody reads it. It is another one at each call."""
    # os.urandom, not random: the recorded application may have seeded that one, and would see us in its numbers.
    return f".{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"


def is_leftover(name: str) -> bool:
    """Whether nobody needs a file of that name when its writer is dead: a temporary one, a blob without an end."""
    return is_temporary(name) or _NEW_BLOB.fullmatch(name) is not None


def is_temporary(name: str) -> bool:
    return _TEMPORARY.fullmatch(name) is not None


def is_part(name: str) -> bool:
    return _PART.fullmatch(name) is not None


def _home(name: str) -> tuple[str, str]:
    trace_id, _, part = name.partition(".")
    return trace_id, part


def trace_folders(root: Path) -> list[Path]:
    """Folders of traces, by id; none if there is no such store. Raises OSError if it cannot be read."""
    return [root / name for name in sorted(_names_in(root)) if _TRACE.fullmatch(name)]


def ids_beginning_with(root: Path, beginnings: Set[str]) -> list[str]:
    """Of traces; the beginnings are of one length. None if there is no such store. Raises OSError."""
    length = max(map(len, beginnings), default=0)
    return [name for name in _names_in(root) if name[:length] in beginnings and _TRACE.fullmatch(name)]


def last_trace_folders(root: Path, count: int) -> list[Path]:
    """Those of so many traces in which a file was made last. None if there is no such store. Raises OSError."""
    try:
        with os.scandir(root) as entries:  # its `stat` is cheaper than that of a path
            found = [(_changed_ns(each), each.name) for each in entries if _TRACE.fullmatch(each.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [root / name for _, name in heapq.nlargest(count, found)]


def traces_of_process(root: Path, process_id: str, since_ns: int) -> list[Path]:
    """Folders of traces that hold a part of the process, which began then; the one changed first in front. None if
    there is no such store. Raises OSError."""
    try:
        with os.scandir(root) as entries:
            found = ((_changed_ns(each), each.name) for each in entries if _TRACE.fullmatch(each.name))
            folders = sorted(each for each in found if each[0] >= since_ns)
    except (FileNotFoundError, NotADirectoryError):
        return []
    mark = f"-{process_id[:8]}."
    return [root / name for _, name in folders if any(mark in part.name for part in part_files(root / name))]


def _changed_ns(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except FileNotFoundError:  # deleted in between, or a link to nowhere
        return 0


def process_folders(root: Path) -> list[Path]:
    """Folders of processes in a store's `pending/`, by id. None if there is no such folder, or behind a link.

    Raises OSError.
    """
    folder = root / PENDING
    try:
        with os.scandir(folder) as entries:
            found = [
                each.name for each in entries if _PROCESS.fullmatch(each.name) and each.is_dir(follow_symlinks=False)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [] if folder.is_symlink() else [folder / name for name in sorted(found)]


def linked_folders(root: Path) -> list[Path]:
    """Those of a store that are links: what lies behind them may be somebody else's."""
    return [path for name in (PROCESSES, BLOBS, PENDING) if (path := root / name).is_symlink()]


def pending_files(folder: Path) -> list[Path]:
    """In the folder of a process: held parts, then spools, since a spool of the same part says less. Raises OSError."""
    try:
        with os.scandir(folder) as entries:  # files only, whatever somebody put there
            names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except FileNotFoundError:
        return []
    found = [name for name in names if home_of_held(name)] + [name for name in names if home_of_spool(name)]
    return [folder / name for name in found]


def blob_files(root: Path) -> dict[str, Path]:
    """The blobs of a store, by hash; none if there is no such folder. Raises OSError."""
    return {name: root / BLOBS / name for name in _names_in(root / BLOBS) if _BLOB.fullmatch(name)}


def part_files(folder: Path) -> list[Path]:
    """The parts in the folder of a trace, by name; none if there is no such folder."""
    return _cassette_files(folder, _PART)


def environment_files(folder: Path) -> dict[str, list[Path]]:
    """The environments in a store's `processes/`, by process id; none if there is no such folder."""
    by_process: dict[str, list[Path]] = {}
    for path in _cassette_files(folder, _ENVIRONMENT):
        by_process.setdefault(path.name[:32], []).append(path)
    return by_process


def _cassette_files(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    # Somebody who unpacks a part by hand has it twice; it counts once.
    by_stem = {name.removesuffix(".zst"): name for name in sorted(_names_in(folder)) if pattern.fullmatch(name)}
    return [folder / name for name in by_stem.values()]


def _names_in(folder: Path) -> Iterable[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _checked(pattern: re.Pattern[str], name: str) -> str:
    if pattern.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of a file in a store")
    return name
