"""Who lives: a lock that a process holds as long as it lives, and that the system takes away with its death.

POSIX record locks: they are seen across containers, not inherited by a fork, and gone after a kill -9. A process loses
its own when it closes any descriptor of that file, so what this process holds is remembered, and never opened again.
Where there are none (Windows, a network disk without them), whoever left nothing new for a day counts as dead.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from timetracer_otel.store.names import temporary_name

if sys.platform != "win32":
    import fcntl

NAME: Final = "lock"
SILENT_S: Final = 86_400.0
"""So long without a new file, and a process that cannot be asked counts as dead."""

_held: dict[tuple[int, str], object] = {}
"""What this process (and no other: a fork copies it) holds, by its pid and the folder's real path."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of one folder. `descriptor` is None where the system has no locks."""

    folder: Path
    key: tuple[int, str]
    descriptor: int | None

    def is_visible(self) -> bool:
        """Whether others find it: nobody has deleted the folder."""
        return (self.folder / NAME).exists()

    def renew(self) -> None:
        """It is held again, should the application have read that file and so have lost it."""
        if self.descriptor is not None and self.key[0] == os.getpid():  # a fork has the descriptor, but not the lock
            _try(self.descriptor)

    def release(self) -> None:
        """Others may take it then; the file stays."""
        if self.descriptor is not None:
            os.close(self.descriptor)
        _held.pop(self.key, None)


def claim(folder: Path) -> Lock | None:
    """Makes the folder, and its lock as one that is held already. None if this process holds it. Raises OSError."""
    key = _key(folder)
    if not _remember(key):
        return None
    descriptor: int | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / temporary_name(NAME)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _flag("O_CLOEXEC"), 0o666)
        if _try(descriptor) is None:  # nobody else can have it yet; and Windows does not rename what is open
            os.close(descriptor)
            descriptor = None
        os.replace(temporary, folder / NAME)
    except BaseException:
        Lock(folder, key, descriptor).release()
        raise
    return Lock(folder, key, descriptor)


def take_over(folder: Path) -> Lock | None:
    """The lock of a process that is dead; None while it lives, or if somebody else is at it. Raises OSError."""
    key = _key(folder)
    if not _remember(key):
        return None
    try:
        lock = _taken(folder, key)
    except BaseException:
        _held.pop(key, None)
        raise
    if lock is None:
        _held.pop(key, None)
    return lock


def put_away(lock: Lock) -> bool:
    """Takes the folder away and releases its lock, if nothing else is in it. Raises OSError."""
    with suppress(FileNotFoundError):
        if any(name != NAME for name in os.listdir(lock.folder)):
            return False
        (lock.folder / NAME).unlink(missing_ok=True)
        try:
            lock.folder.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return False
    lock.release()
    return True


def is_alive(folder: Path) -> bool:
    """Whether its process lives, as far as we may know. Changes nothing."""
    key = _key(folder)
    if not _remember(key):
        return True
    try:
        return _is_locked(folder / NAME)
    except OSError:
        return not _is_silent(folder)
    finally:
        _held.pop(key, None)


def _taken(folder: Path, key: tuple[int, str]) -> Lock | None:
    path = folder / NAME
    try:
        descriptor = os.open(path, os.O_RDWR | _flag("O_CLOEXEC") | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK"))
    except FileNotFoundError:  # its owner has just made the folder; or somebody deleted the lock
        return Lock(folder, key, None) if _is_silent(folder) else None
    state = _try(descriptor)
    # Whoever had it before may have put the folder away, and a new one may stand in its place.
    if state is True and _is_same(descriptor, path):
        return Lock(folder, key, descriptor)
    os.close(descriptor)
    return Lock(folder, key, None) if state is None and _is_silent(folder) else None


def _is_locked(path: Path) -> bool:
    """Raises OSError if it cannot be told."""
    descriptor = os.open(path, os.O_RDONLY | _flag("O_CLOEXEC") | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK"))
    try:
        state = _try(descriptor, shared=True)
    finally:
        os.close(descriptor)
    if state is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path))
    return not state


def _try(descriptor: int, shared: bool = False) -> bool | None:
    """Whether it could be locked; None if this system or this disk has no locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.lockf(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EACCES, errno.EAGAIN) else None
    return True


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _is_silent(folder: Path) -> bool:
    newest_s = 0.0
    for path in (folder, *folder.iterdir()):
        with suppress(FileNotFoundError):
            newest_s = max(newest_s, path.lstat().st_mtime)
    return time.time() - newest_s > SILENT_S


def _key(folder: Path) -> tuple[int, str]:
    return os.getpid(), os.path.realpath(folder)


def _remember(key: tuple[int, str]) -> bool:
    """True for one thread, until it is forgotten again."""
    token = object()
    return _held.setdefault(key, token) is token


def _flag(name: str) -> int:
    """0 where the system has no such flag, which is what it does then anyway."""
    return int(getattr(os, name, 0))
