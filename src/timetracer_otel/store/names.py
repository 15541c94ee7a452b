"""Names in a store. Only what has one of these names is ever read; temporary files begin with a dot and have none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PROCESSES: Final = "processes"
PENDING: Final = "pending"

_PART: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}\.[0-9]+\.json(\.zst)?")
_ENVIRONMENT: Final = re.compile(r"[0-9a-f]{32}\.[0-9]+\.json(\.zst)?")
_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_HELD: Final = re.compile(rf"({_TRACE.pattern})\.({_PART.pattern})")


def part_name(root_span_id: str, process_id: str, number: int) -> str:
    """Raises ValueError if an id is none: it would be a path of somebody else's choice."""
    return _checked(_PART, f"{root_span_id}-{process_id[:8]}.{number}.json.zst")


def environment_name(process_id: str, number: int) -> str:
    """Raises ValueError if the id is none."""
    return _checked(_ENVIRONMENT, f"{process_id}.{number}.json.zst")


def trace_name(trace_id: str) -> str:
    """Raises ValueError if the id is none."""
    return _checked(_TRACE, trace_id)


def held_name(trace_id: str, name: str) -> str:
    """Of a part in `pending/`, where the parts of all traces lie side by side."""
    return _checked(_HELD, f"{trace_id}.{name}")


def split_held_name(name: str) -> tuple[str, str]:
    """Trace id and part name. Raises ValueError if `name` is no held part's."""
    _checked(_HELD, name)
    trace_id, _, part = name.partition(".")
    return trace_id, part


def trace_folders(root: Path) -> list[Path]:
    """Folders of traces, by id; none if there is no such store. Raises OSError if it cannot be read."""
    return [root / name for name in sorted(_names_in(root)) if _TRACE.fullmatch(name)]


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
