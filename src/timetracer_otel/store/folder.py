"""The store: a folder into which many threads, processes and hosts write side by side, without a lock.

<root>/<trace id>/<root span id>-<process8>.<n>.json.zst     parts: written once, never changed
<root>/processes/<process id>.<n>.json.zst                   environments
<root>/pending/<trace id>.<name of the part>                 parts of which it is not known yet whether they are kept
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from timetracer_otel.cassette.compression import compress
from timetracer_otel.store.atomic import write_atomically
from timetracer_otel.store.names import (
    PENDING,
    PROCESSES,
    environment_name,
    held_name,
    part_name,
    split_held_name,
    trace_name,
)

if TYPE_CHECKING:
    from timetracer_otel.cassette import Cassette
    from timetracer_otel.store.listing import Listing


class Store:
    """A store at `root`. It writes where `root` was when the store was made, whatever the working directory becomes.

    Folders are made by the first write. Writing gives the path of the file; it raises OSError, and ValueError if an id
    is none.
    """

    __slots__ = ("_written", "root")

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self._written = self.root.absolute()

    def write_part(
        self,
        trace_id: str,
        root_span_id: str,
        process_id: str,
        number: int,
        data: bytes | Sequence[bytes],
        durable: bool = False,
    ) -> Path:
        """`data` from `cassette.dump_part`, or from `part_pieces`."""
        folder = self._written / trace_name(trace_id)
        if number == 0:  # most traces have one segment, and this is its first part
            _begin_folder(folder)
        path = folder / part_name(root_span_id, process_id, number)
        return _write(path, [data] if isinstance(data, bytes) else data, durable)

    def write_environment(self, process_id: str, number: int, data: bytes, durable: bool = False) -> Path:
        """`data` from `cassette.dump_environment`."""
        return _write(self._written / PROCESSES / environment_name(process_id, number), [data], durable)

    def hold_part(self, trace_id: str, root_span_id: str, process_id: str, number: int, data: bytes) -> Path:
        """Writes a part where no reader sees it, for `keep` or `drop`."""
        name = held_name(trace_id, part_name(root_span_id, process_id, number))
        return _write(self._written / PENDING / name, [data], durable=False)

    def keep(self, held: Path) -> Path:
        """Puts a held part among those of its trace."""
        trace_id, name = split_held_name(held.name)
        kept = self._written / trace_id / name
        _make_folder(kept.parent)
        os.replace(held, kept)
        return kept

    def drop(self, held: Path) -> None:
        """Deletes a held part; one that is gone already is dropped."""
        split_held_name(held.name)
        held.unlink(missing_ok=True)

    def open_cassette(self, wanted: str) -> tuple[Cassette, str | None]:
        """The cassette that `wanted` names (a folder, a file, a trace id, its beginning), and a segment's id or None.

        Raises CassetteNotFound, CassetteAmbiguous, DamagedCassette, UnsupportedVersion.
        """
        from timetracer_otel.store.opening import open_cassette

        return open_cassette(self.root, wanted)

    def list_traces(self) -> Listing:
        """What is in the store, newest first."""
        from timetracer_otel.store.listing import list_traces

        return list_traces(self.root)


def _write(path: Path, pieces: Sequence[bytes], durable: bool) -> Path:
    packed = compress(*pieces)
    try:
        write_atomically(path, packed, durable)
    except (FileNotFoundError, NotADirectoryError):  # the first part of its trace: cheaper to try than to ask
        _make_folder(path.parent)
        write_atomically(path, packed, durable)
    return path


def _begin_folder(folder: Path) -> None:
    """Saves the first write its failure. Whatever is wrong here, that write says."""
    with suppress(OSError):
        os.mkdir(folder)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(errno.ENOTDIR, "a file stands where the store needs a folder", str(folder)) from None
