"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from timetracer_otel.store.names import temporary_name

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_atomically(path: str | Path, data: bytes, durable: bool, mode: int | None = None) -> None:
    """`path` then holds `data`. Raises OSError, and leaves what was there before as it was.

    `durable` waits until the disk has it; without, it survives the death of the process but not of the machine.
    `mode` are the file's permissions, in place of those of any new file.
    """
    folder, name = os.path.split(text := os.fspath(path))
    temporary = text[: len(text) - len(name)] + temporary_name(name)
    try:
        _write(temporary, data, durable, mode)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    if durable:
        _sync_folder(folder or os.curdir)


def make_folder(folder: Path) -> None:
    """The folder and those above it are there then. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(errno.ENOTDIR, "a file stands where the store needs a folder", str(folder)) from None


def make_own_folder(folder: Path) -> None:
    """As `make_folder`; raises NotADirectoryError if it is a link, which leads to where nobody wants our files."""
    make_folder(folder)
    if folder.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, "a link stands where the store needs a folder", str(folder))


def _write(path: str, data: bytes, durable: bool, mode: int | None) -> None:
    descriptor = os.open(path, _NEW, 0o666)  # not `open`, which takes as long as all the rest of this
    try:
        if mode is not None:  # before the first byte, which may be for fewer eyes than a new file is
            os.chmod(path, mode)
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: str) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened, and renaming is durable as it is
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
