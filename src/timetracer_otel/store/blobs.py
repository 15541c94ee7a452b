"""What is too large for a part: streamed into a file that is named by the hash of its content, once for all of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from timetracer_otel.cassette.compression import new_stream
from timetracer_otel.store.atomic import make_folder
from timetracer_otel.store.names import BLOBS, blob_name

if TYPE_CHECKING:
    from timetracer_otel.store.limits import Room


class BlobWriter:
    """One blob while it is written. It holds less than 1 MiB, whatever its size; one thread at a time may use it.

    Each call may raise OSError, StoreFull among them: `discard` it then, as a blob that is not wanted.
    """

    __slots__ = ("_file", "_hash", "_room", "_root", "_stream", "_taken_bytes", "_temporary", "size")

    def __init__(self, root: Path, temporary: Path, room: Room) -> None:
        self.size = 0
        """Of the content so far, in bytes."""
        self._root, self._temporary, self._room = root, temporary, room
        self._taken_bytes = 0
        self._hash = hashlib.sha256()
        self._stream = new_stream()
        self._file = open(temporary, "xb", buffering=0)  # noqa: SIM115  commit or discard close it

    def write(self, data: bytes) -> None:
        """Appends to the content."""
        self._hash.update(data)
        self.size += len(data)
        self._put(self._stream.compress(data))

    def commit(self) -> str:
        """The content's SHA-256 in hex; the blob of that name then holds it."""
        self._put(self._stream.flush())
        self._file.close()
        sha256 = self._hash.hexdigest()
        target = self._root / BLOBS / blob_name(sha256)
        if _is_refreshed(target):
            self.discard()
            return sha256
        make_folder(target.parent)
        os.replace(self._temporary, target)
        self._taken_bytes = 0
        return sha256

    def discard(self) -> None:
        """What was written is gone."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)
        self._room.give(self._taken_bytes)
        self._taken_bytes = 0

    def _put(self, packed: bytes) -> None:
        self._room.take(len(packed))
        self._taken_bytes += len(packed)
        left = memoryview(packed)
        while left:
            left = left[self._file.write(left) or 0 :]


def is_stored(root: Path, sha256: str) -> bool:
    """Whether there is such a blob; `prune` takes it for a new one then."""
    return _is_refreshed(root / BLOBS / blob_name(sha256))


def _is_refreshed(path: Path) -> bool:
    """Whether it exists; it is as young as a new one then, and `prune` leaves it alone."""
    try:
        os.utime(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
