"""What lies beside a cassette, for whoever opens one: bounded in memory and time, whatever the cassette asks for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from timetracer_otel.cassette import Blob, decompress
from timetracer_otel.config import MIB
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.store.files import read_regular
from timetracer_otel.store.names import BLOBS

BLOBS_MAX_BYTES: Final = 512 * MIB
"""Of all blobs that one cassette names, and again of all pieces of them that it asks for."""


class Resolver:
    """The blobs of one store, for one opening of one cassette."""

    __slots__ = ("_asked_bytes", "_contents", "_read_bytes", "_root")

    def __init__(self, root: Path) -> None:
        self._root = root
        self._contents: dict[str, bytes] = {}
        self._read_bytes = self._asked_bytes = 0

    def __call__(self, blob: Blob) -> bytes:
        """The bytes that `blob` stands for. Raises DamagedCassette."""
        self._asked_bytes += blob.size
        if self._asked_bytes > BLOBS_MAX_BYTES:
            raise self._damaged(blob, f"its cassette asks for more than {BLOBS_MAX_BYTES // MIB} MiB of blobs")
        content = self._content(blob)
        if blob.offset + blob.size > len(content):
            raise self._damaged(blob, f"its cassette asks for bytes beyond its end at {len(content)}")
        is_whole = blob.size == len(content)
        return content if is_whole else content[blob.offset : blob.offset + blob.size]

    def _content(self, blob: Blob) -> bytes:
        # Kept: a body is one blob in as many pieces as the application sent, and each is asked for by itself.
        if blob.sha256 not in self._contents:
            self._contents[blob.sha256] = self._read(self._path(blob), blob.sha256)
        return self._contents[blob.sha256]

    def _read(self, path: Path, sha256: str) -> bytes:
        try:
            content = decompress(read_regular(path), BLOBS_MAX_BYTES)
        except FileNotFoundError:
            raise DamagedCassette(
                str(path), "it is not there, and its cassette needs it: copy blobs/ too, or use a bundle"
            ) from None
        except ValueError as error:
            raise DamagedCassette(str(path), str(error)) from None
        self._read_bytes += len(content)
        if self._read_bytes > BLOBS_MAX_BYTES:
            raise DamagedCassette(str(path), f"with the others of its cassette it is over {BLOBS_MAX_BYTES // MIB} MiB")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DamagedCassette(str(path), "it does not hold what its name says: copy blobs/ again")
        return content

    def _damaged(self, blob: Blob, problem: str) -> DamagedCassette:
        return DamagedCassette(str(self._path(blob)), problem)

    def _path(self, blob: Blob) -> Path:
        return self._root / BLOBS / blob.sha256
