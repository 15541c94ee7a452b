"""`pending/<process id>/`: what one living process has not decided or not finished yet, where no reader sees it.

It is there for the case of its death: whoever comes next adopts it (`adoption`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from timetracer_otel.cassette.compression import compress
from timetracer_otel.store import locking
from timetracer_otel.store.atomic import make_own_folder, write_atomically
from timetracer_otel.store.blobs import BlobWriter
from timetracer_otel.store.limits import Room
from timetracer_otel.store.names import (
    LOSSES,
    PENDING,
    held_name,
    home_of_held,
    new_blob_name,
    part_name,
    process_name,
    spool_name,
)
from timetracer_otel.store.untold import dump_losses

T = TypeVar("T")


class Spool:
    """What is captured for one part before it is written: JSON lines, a part without exchanges, then its exchanges, and
    between them parts that have nothing but the ids that these show.

    What was appended outlives a kill -9. No file stays open: an application has many segments at once.
    """

    __slots__ = ("_is_torn", "_room", "_size", "path")

    def __init__(self, path: Path, room: Room) -> None:
        self.path, self._room = path, room
        self._size = 0
        self._is_torn = False

    def append(self, line: bytes) -> None:
        """Without a line break in it or at its end. Raises OSError, StoreFull among them."""
        data = b"\n" * self._is_torn + line + b"\n"
        self._room.take(len(data))
        self._size += len(data)
        self._is_torn = True  # a line of which a full disk took a part is closed by the next one, and ignored
        try:
            _append(self.path, data)
        except FileNotFoundError:  # somebody has deleted it; its part will say all that it said
            self._room.give(len(data))
            self._size -= len(data)
        self._is_torn = False

    def remove(self) -> None:
        """Its part is written, or not wanted. Raises OSError."""
        self.path.unlink(missing_ok=True)
        self._room.give(self._size)
        self._size = 0


class Pending:
    """Made by `Store.pending`; the folder and its lock by the first use. Threads may share it.

    Each method raises OSError, StoreFull among them, and ValueError if an id is none.
    """

    __slots__ = ("_busy", "_claiming", "_folder", "_held", "_is_claimed", "_lock", "_process_id", "_room", "_root")

    def __init__(self, root: Path, process_id: str, room: Room) -> None:
        self._root, self._process_id, self._room = root, process_id, room
        self._folder = root / PENDING / process_name(process_id)
        self._busy = 0
        self._is_claimed = False
        self._lock: locking.Lock | None = None
        # It covers I/O: a second thread must not go on without the lock, and all that it would do is write here too.
        # Re-entrant: the garbage collector may run a finalizer of the app, which ends a span, while we hold it.
        self._claiming = threading.RLock()
        self._held: dict[tuple[str, str], list[str]] = {}

    def claim(self) -> None:
        """Everybody sees from now on that this process lives."""
        with self._claiming:
            if self._is_claimed:
                if self._lock is not None:
                    self._lock.renew()
                return
            # None if another Store of this process holds it: that one lives as long.
            self._lock = self._lock or locking.claim(self._folder)
            self._is_claimed = True

    def hold(self, trace_id: str, root_span_id: str, number: int, data: bytes | Sequence[bytes]) -> Path:
        """Writes a part, as `Store.write_part` does, for `keep` or `drop`."""
        path = self._folder / held_name(trace_id, part_name(root_span_id, self._process_id, number))
        packed = compress(*([data] if isinstance(data, bytes) else data))
        with self._room.taken(len(packed)):
            self._in_folder(lambda: write_atomically(path, packed, durable=False))
        self._held.setdefault((trace_id, root_span_id), []).append(path.name)
        return path

    def keep(self, trace_id: str, root_span_id: str) -> None:
        """Puts the held parts of a segment among those of their trace."""
        errors: list[OSError] = []
        for name in self._held.pop((trace_id, root_span_id), ()):
            try:
                move_held(self._root, self._folder / name)
            except OSError as error:  # the others can be kept all the same
                errors.append(error)
        if errors:
            raise errors[0]

    def drop(self, trace_id: str, root_span_id: str) -> None:
        """Deletes the held parts of a segment."""
        for name in self._held.pop((trace_id, root_span_id), ()):
            path = self._folder / name
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                path.unlink()
                self._room.give(size)

    def spool(self, trace_id: str, root_span_id: str, number: int) -> Spool:
        """For the exchanges of that part. Its first line must be the part without them: `dump_part(part, [])`."""
        path = self._folder / spool_name(trace_id, root_span_id, self._process_id, number)
        self._in_folder(lambda: path.write_bytes(b""))
        return Spool(path, self._room)

    def blob(self) -> BlobWriter:
        """For content that is too large for a part."""
        temporary = self._folder / new_blob_name()
        return self._in_folder(lambda: BlobWriter(self._root, temporary, self._room))

    def save_losses(self, losses: Mapping[str, int]) -> None:
        """What no part says yet, in place of what was saved before; for whoever adopts it."""
        path = self._folder / LOSSES
        if losses:  # small, and one file for each process: a full store has room for it
            self._in_folder(lambda: write_atomically(path, dump_losses(losses), durable=False))
        else:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Takes the folder away if nothing is in it or about to be; the next use makes it again."""
        with self._claiming:
            if not self._busy and (self._lock is None or locking.put_away(self._lock)):
                self._lock, self._is_claimed = None, False

    def _in_folder(self, write: Callable[[], T]) -> T:
        with self._claiming:
            self._busy += 1
        try:
            self.claim()
            return self._write(write)
        finally:
            with self._claiming:
                self._busy -= 1

    def _write(self, write: Callable[[], T]) -> T:
        try:
            return write()
        except FileNotFoundError:  # somebody has deleted the folder
            with self._claiming:
                if self._lock is not None and not self._lock.is_visible():
                    self._lock.release()
                    self._lock = None
                self._is_claimed = False
            self.claim()
            return write()


def move_held(root: Path, held: Path) -> None:
    """Puts a held part among those of its trace. Raises OSError, and ValueError if `held` is no held part."""
    home = home_of_held(held.name)
    if home is None:
        raise ValueError(f"{held.name!r} is no name of a held part")
    target = root.joinpath(*home)
    make_own_folder(target.parent)
    os.replace(held, target)


def _append(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)
