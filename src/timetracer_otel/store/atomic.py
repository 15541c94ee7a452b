"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from timetracer_otel.store.names import temporary_name


def write_atomically(path: Path, data: bytes, durable: bool, mode: int | None = None) -> None:
    """`path` then holds `data`. Raises OSError, and leaves what was there before as it was.

    `durable` waits until the disk has it; without, it survives the death of the process but not of the machine.
    `mode` are the file's permissions, in place of those of any new file.
    """
    temporary = path.with_name(temporary_name(path.name))
    try:
        _write(temporary, data, durable, mode)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """The folder and those above it are there then. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(errno.ENOTDIR, "a file stands where the store needs a folder", str(folder)) from None


def _write(path: Path, data: bytes, durable: bool, mode: int | None) -> None:
    with open(path, "xb") as file:
        if mode is not None:  # before the first byte, which may be for fewer eyes than a new file is
            os.chmod(path, mode)
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened, and renaming is durable as it is
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
