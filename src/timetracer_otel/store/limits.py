"""How much a store may hold, and how much of its disk stays free: asked before each write, cheaply.

Each process counts what it writes, and now and then what is there: what other processes wrote is seen late. The count
of a large store goes on from write to write, so that no write waits for it. The disk is asked for its free space at
each write that comes near the limit, else now and then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from timetracer_otel.config import MIB
from timetracer_otel.errors import StoreFull

RECOUNT_S: Final = 10.0
RECOUNT_BYTES: Final = 64 * MIB
"""After so many bytes of our own, if not before, it is counted again; earlier where little room is left."""
FIRST_SLICE_S: Final = 0.5
"""A process that writes once should know as well."""
SLICE_S: Final = 0.02
SHARE: Final = 20
"""Counting rests so many times as long as it took."""
FAR_SHARE: Final = 500
FAR_REST_S: Final = 120.0
"""The same, and at most so long, while less than half of the limit is used: a store of many small traces takes long to
count, and whoever writes one of them counts."""
FREE_S: Final = 0.05
"""The free space that a disk had so long ago still counts, less what we have written since."""
FREE_NEAR_BYTES: Final = 64 * MIB
"""With less than that above the limit it is asked for at each write: others may write as well."""
LEVELS: Final = 3
"""Of folders: the store, `pending/`, a process."""


class Room:
    """The limits of one store, None where there is none. Threads may share it; none ever waits for another."""

    __slots__ = ("_asked_s", "_free_min_bytes", "_root", "_spare_bytes", "_store_max_bytes", "_used")

    def __init__(self, root: Path, store_max_bytes: int | None, free_min_bytes: int | None) -> None:
        self._root, self._store_max_bytes, self._free_min_bytes = root, store_max_bytes, free_min_bytes
        self._used = _Used(root)
        self._asked_s, self._spare_bytes = 0.0, 0

    def take(self, size: int) -> None:
        """Counts `size` bytes that are about to be written. Raises StoreFull if there is no room for them."""
        if self._free_min_bytes is not None and not self._is_free(size, self._free_min_bytes):
            raise StoreFull(str(self._root), "free_min", self._free_min_bytes)
        if self._store_max_bytes is None:
            return
        if self._used.now(self._store_max_bytes) + size > self._store_max_bytes:
            raise StoreFull(str(self._root), "store_max", self._store_max_bytes)
        self._used.add(size)

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """`take`, and `give` if what follows fails."""
        self.take(size)
        try:
            yield
        except BaseException:
            self.give(size)
            raise

    def give(self, size: int) -> None:
        """They are gone again, or were never written."""
        self._used.add(-size)

    def _is_free(self, size: int, limit_bytes: int) -> bool:
        now_s = time.monotonic()
        if now_s - self._asked_s >= FREE_S or self._spare_bytes - size < FREE_NEAR_BYTES:
            try:
                self._asked_s, self._spare_bytes = now_s, free_bytes(self._root) - limit_bytes
            except OSError:  # a disk that does not say it
                return True
        self._spare_bytes -= size
        return self._spare_bytes >= 0


class _Used:
    """How many bytes a store holds, as far as this process knows."""

    __slots__ = ("_bytes", "_next_s", "_pid", "_rested_s", "_root", "_turns", "_written")

    def __init__(self, root: Path) -> None:
        self._root = root
        self._bytes = self._written = 0
        self._begin(FIRST_SLICE_S)

    def _begin(self, slice_s: float) -> None:
        self._pid = os.getpid()
        self._next_s = self._rested_s = 0.0
        # Whoever takes the count out of the list goes on with it: no thread waits, and no lock is copied by a fork.
        self._turns: list[_Count] = [_Count(self._root, slice_s)]

    def add(self, size: int) -> None:
        self._bytes += size
        self._written += max(size, 0)

    def now(self, limit_bytes: int) -> int:
        if self._pid != os.getpid():
            self._begin(SLICE_S)
        if self._is_due(time.monotonic(), limit_bytes) and self._turns:
            self._go_on(limit_bytes)
        return self._bytes

    def _is_due(self, now_s: float, limit_bytes: int) -> bool:
        enough = min(RECOUNT_BYTES, max(MIB, (limit_bytes - self._bytes) // 8))
        return now_s >= self._next_s or (now_s >= self._rested_s and self._written >= enough)

    def _go_on(self, limit_bytes: int) -> None:
        try:
            count = self._turns.pop()
        except IndexError:  # another thread was faster
            return
        if count.go_on():
            self._bytes, self._written = count.bytes, 0
            rest_s = SHARE * count.took_s
            if self._bytes < limit_bytes // 2:
                rest_s = max(rest_s, min(FAR_SHARE * count.took_s, FAR_REST_S))
            self._rested_s = time.monotonic() + rest_s
            self._next_s = max(self._rested_s, time.monotonic() + RECOUNT_S)
            count = _Count(self._root, SLICE_S)
        else:
            self._bytes = max(self._bytes, count.bytes)
        self._turns.append(count)


class _Count:
    """One walk over the files of a store, in slices."""

    __slots__ = ("_sizes", "_slice_s", "bytes", "took_s")

    def __init__(self, root: Path, slice_s: float) -> None:
        self.bytes, self.took_s = 0, 0.0
        self._sizes, self._slice_s = file_sizes(root), slice_s

    def go_on(self) -> bool:
        """True when all is counted."""
        began_s = time.monotonic()
        for size in self._sizes:
            self.bytes += size
            if time.monotonic() - began_s > self._slice_s:
                self.took_s, self._slice_s = self.took_s + time.monotonic() - began_s, SLICE_S
                return False
        self.took_s += time.monotonic() - began_s
        return True


def file_sizes(folder: str | Path, levels: int = LEVELS) -> Iterator[int]:
    """Of each file in a store, in bytes; nothing if there is no such folder, or it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield _size(entry)
                elif levels > 1:
                    yield from file_sizes(entry.path, levels - 1)
    except OSError:  # somebody deletes it while we look
        return


def free_bytes(path: Path) -> int:
    """Free on the disk of that folder, be it not made yet. Raises OSError."""
    try:
        return _free_bytes(path)
    except FileNotFoundError:
        return _free_bytes(nearest(path))


def _free_bytes(path: Path) -> int:
    if hasattr(os, "statvfs"):  # asked before many a write, and `disk_usage` takes twice the time
        disk = os.statvfs(path)
        return disk.f_bavail * disk.f_frsize
    import shutil  # it loads three modules of compression

    return shutil.disk_usage(path).free


def nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
