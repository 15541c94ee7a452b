"""Files and folders that go, beside writers who may just be using them.

Each is put away under a temporary name first and looked at again: a writer who used it meanwhile has made it younger,
and gets it back; one who comes later does not find it, and makes it anew.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from timetracer_otel.store.names import is_part, is_temporary, temporary_name


def delete_file(path: Path, before_s: float) -> int | None:
    """Its bytes; None if it is gone already, or was used since that time. Raises OSError."""
    aside = path.with_name(temporary_name(path.name))
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return None
    found = aside.lstat()
    if found.st_mtime >= before_s:
        os.replace(aside, path)
        return None
    aside.unlink()
    return found.st_size


def delete_trace(folder: Path, before_s: float) -> int | None:
    """The bytes of its parts; None if it is gone already, a link, or was used since that time. Raises OSError.

    What else somebody put into the folder stays there.
    """
    aside = folder.with_name(temporary_name(folder.name))
    try:
        os.rename(folder, aside)
    except FileNotFoundError:
        return None
    if aside.is_symlink() or newest_s(aside) >= before_s:
        _give_back(aside, folder)
        return None
    size = delete_parts(aside)
    try:
        aside.rmdir()
    except OSError:
        _give_back(aside, folder)
    return size


def delete_parts(folder: Path) -> int:
    """Of a trace, with what writers left who died; their bytes. Raises OSError."""
    size = 0
    for path in _ours(folder):
        with suppress(FileNotFoundError):
            size += path.lstat().st_size
            path.unlink()
    return size


def size_of_parts(folder: Path) -> int:
    """In bytes, of what `delete_parts` would delete. Raises OSError."""
    return sum(path.lstat().st_size for path in _ours(folder))


def newest_s(folder: Path) -> float:
    """When the newest file of a folder was written, or if it is empty the folder itself. Raises OSError."""
    newest = 0.0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                newest = max(newest, entry.stat(follow_symlinks=False).st_mtime)
            except FileNotFoundError:  # a writer has just renamed it
                return time.time()
    return newest or folder.stat().st_mtime


def _ours(folder: Path) -> list[Path]:
    return [folder / name for name in os.listdir(folder) if is_part(name) or is_temporary(name)]


def _give_back(aside: Path, folder: Path) -> None:
    try:
        os.rename(aside, folder)
    except OSError:  # a writer has made the folder again
        for name in os.listdir(aside):
            os.replace(aside / name, folder / name)
        aside.rmdir()
