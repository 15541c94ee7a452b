"""The store: a folder into which many threads, processes and hosts write side by side, without a lock.

<root>/<trace id>/<root span id>-<process8>.<n>.json.zst     parts: written once, never changed
<root>/processes/<process id>.<n>.json.zst                   environments
<root>/blobs/<sha256>                                        what is too large for a part
<root>/pending/<process id>/                                 what one living process has not decided or not finished
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from timetracer_otel.cassette.compression import compress
from timetracer_otel.cassette.pieces import give_way
from timetracer_otel.cassette.recent import KEPT_MAX_BYTES, Recent
from timetracer_otel.store.atomic import make_folder, write_atomically
from timetracer_otel.store.limits import Room
from timetracer_otel.store.names import PROCESSES, environment_name, part_name, process_folders, trace_name

if TYPE_CHECKING:
    from timetracer_otel.cassette import Cassette
    from timetracer_otel.store.adoption import Unfinished
    from timetracer_otel.store.listing import Listing
    from timetracer_otel.store.pending import Pending


class Store:
    """A store at `root`. It writes where `root` was when the store was made, whatever the working directory becomes.

    Folders are made by the first write. Writing gives the path of the file; it raises OSError, which is StoreFull if a
    limit is met, and ValueError if an id is none. Who only reads needs no limits.
    """

    __slots__ = ("_blobs", "_pending", "_room", "_written", "_written_text", "root")

    def __init__(
        self,
        root: str | os.PathLike[str],
        store_max_bytes: int | None = None,
        free_min_bytes: int | None = None,
    ) -> None:
        self.root = Path(root)
        self._written = self.root.absolute()
        self._written_text = f"{self._written}{os.sep}"
        self._room = Room(self._written, store_max_bytes, free_min_bytes)
        self._pending: dict[str, Pending] = {}
        self._blobs: Recent[str] = Recent()

    def write_part(
        self,
        trace_id: str,
        root_span_id: str,
        process_id: str,
        number: int,
        data: bytes | Sequence[bytes],
        durable: bool = False,
    ) -> str:
        """The path of the file. `data` from `cassette.dump_part`, or from `part_pieces`."""
        folder = self._written_text + trace_name(trace_id)
        path = f"{folder}{os.sep}{part_name(root_span_id, process_id, number)}"
        # Most traces have one segment, and this is its first part.
        is_new = number == 0
        return self._write(path, [data] if isinstance(data, bytes) else data, durable, folder if is_new else None)

    def write_environment(self, process_id: str, number: int, data: bytes, durable: bool = False) -> str:
        """The path of the file. `data` from `cassette.dump_environment`."""
        with suppress(OSError):  # `prune` leaves the environment of a living process alone
            self.pending(process_id).claim()
        path = os.path.join(self._written, PROCESSES, environment_name(process_id, number))
        return self._write(path, [data], durable)

    def write_blob(self, process_id: str, data: bytes | Sequence[bytes]) -> str:
        """SHA-256 in hex of `data` or its pieces, which a blob of that name then holds; `pending` has one for what is
        streamed."""
        if not isinstance(data, bytes):
            if sum(map(len, data)) > KEPT_MAX_BYTES:
                return self._write_blob(process_id, data)
            data = b"".join(data)
        from timetracer_otel.store.blobs import is_stored  # who reads a store needs no hashes

        known = self._blobs.get(data)
        if known is not None and is_stored(self._written, known):
            return known
        sha256 = self._write_blob(process_id, (data,))
        self._blobs.put(data, sha256)
        return sha256

    def _write_blob(self, process_id: str, pieces: Iterable[bytes]) -> str:
        writer = self.pending(process_id).blob()
        try:
            for piece in pieces:
                writer.write(piece)
            return writer.commit()
        except BaseException:
            writer.discard()
            raise

    def pending(self, process_id: str) -> Pending:
        """Where that process puts what is not decided or not finished; after a fork the child asks by its own id."""
        if process_id not in self._pending:
            from timetracer_otel.store.pending import Pending

            self._pending.setdefault(process_id, Pending(self._written, process_id, self._room))
        return self._pending[process_id]

    def has_pending(self) -> bool:
        """Whether there is anything to adopt, or of a living process. Raises OSError if it cannot be read."""
        return bool(process_folders(self._written))

    def adopt(self) -> int:
        """How many parts were made of what dead processes left in `pending/`. A store that is read-only stays so."""
        from timetracer_otel.store.adoption import adopt

        return adopt(self._written)

    def unfinished(self) -> Unfinished:
        """What lies in `pending/`."""
        from timetracer_otel.store.adoption import unfinished

        return unfinished(self._written)

    def untold_losses(self) -> Counter[str]:
        """What processes lost, by reason, and no part says yet."""
        from timetracer_otel.store.untold import untold_losses

        return untold_losses(self._written)

    def open_cassette(self, wanted: str) -> tuple[Cassette, str | None]:
        """The cassette that `wanted` names (a folder, a file, a trace id, its beginning), and a segment's id or None.

        Raises CassetteNotFound, CassetteAmbiguous, DamagedCassette, UnsupportedVersion.
        """
        from timetracer_otel.store.opening import open_cassette

        return open_cassette(self.root, wanted)

    def list_traces(self, last: int | None = None) -> Listing:
        """What is in the store, newest first; with `last` only so many traces, those that were written last."""
        from timetracer_otel.store.listing import list_traces

        return list_traces(self.root, last)

    def _write(self, path: str, pieces: Sequence[bytes], durable: bool, new_folder: str | None = None) -> str:
        packed = compress(*pieces)
        give_way()
        self._room.take(len(packed))
        try:
            if new_folder is not None:
                _begin_folder(new_folder)
                give_way()
            _put(path, packed, durable)
        except BaseException:
            self._room.give(len(packed))
            _end_folder(os.path.dirname(path))
            raise
        return path


def _put(path: str, packed: bytes, durable: bool) -> None:
    try:
        write_atomically(path, packed, durable)
    except (FileNotFoundError, NotADirectoryError):  # the first of its trace: cheaper to try than to ask
        make_folder(Path(path).parent)
        write_atomically(path, packed, durable)


def _begin_folder(folder: str) -> None:
    """Saves the first write its failure. Whatever is wrong here, that write says."""
    try:
        os.mkdir(folder)
    except OSError:  # not suppress(), which takes as long as the call
        pass


def _end_folder(folder: str) -> None:
    """One without files goes: a store that cannot be written for a day would else have one for each trace of it."""
    try:
        os.rmdir(folder)
    except OSError:  # others have written there
        pass
