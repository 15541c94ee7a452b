"""Large payloads on their way to disk: chunks are queued by the tap, scrubbed and written in the writer's thread."""

from __future__ import annotations

import errno
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

from timetracer_otel.capture import guard, process
from timetracer_otel.capture.guard import guarded
from timetracer_otel.cassette.model import Blob
from timetracer_otel.errors import StoreFull

if TYPE_CHECKING:
    from timetracer_otel.redaction import Scrubber
    from timetracer_otel.store.blobs import BlobWriter

Run: TypeAlias = Callable[[Callable[[], None]], None]
"""Queues a call for the writer's thread."""
LATE_S: Final = 10.0
"""So long a thread other than the writer's waits for the last chunk, before the payload counts as lost."""
STORE: Final = "store"
LOST: Final = "spill"


class DiskSpill:
    """Implements `capture.table.Spill`. One task writes to it; the writer's thread does the rest."""

    def __init__(
        self, run: Run, begin: Callable[[], tuple[Scrubber, BlobWriter]], released: Callable[[int], None]
    ) -> None:
        self._run, self._work = run, _Work(begin, released)
        # A request that is never closed leaves no file behind: the writer is told when nobody refers to us any more.
        self._forget = weakref.finalize(self, run, self._work.discard)
        self._forget.atexit = False

    def write(self, chunk: bytes) -> None:
        if self._work.put(chunk):
            self._run(self._work.drain)

    def end(self) -> None:
        self._run(self._work.end)

    def discard(self) -> None:
        self._forget()

    def blobs(self) -> Sequence[Blob] | None:
        return self._work.blobs()

    @property
    def reason(self) -> str | None:
        return self._work.reason


class _Work:
    """What the writer's thread has of it."""

    def __init__(self, begin: Callable[[], tuple[Scrubber, BlobWriter]], released: Callable[[int], None]) -> None:
        self._begin, self._released = begin, released
        self._chunks: deque[bytes] = deque()
        self._is_due = False
        self._opened: tuple[Scrubber, BlobWriter] | None = None
        self._process = process.process_id()
        self._sizes: list[int] = []
        self._ended = threading.Event()
        self._writer: int | None = None
        self._sha256: str | None = None
        self.reason: str | None = None

    def put(self, chunk: bytes) -> bool:
        """True if the writer is to be told that there is something."""
        # No lock, which a fork could leave taken: one task puts, and `drain` lowers the flag before it looks.
        self._chunks.append(chunk)
        was_due, self._is_due = self._is_due, True
        return not was_due

    def drain(self) -> None:
        self._is_due, self._writer = False, threading.get_ident()
        while self._chunks:
            chunk = self._chunks.popleft()
            try:
                self._store(chunk)
            finally:
                self._released(len(chunk))

    def end(self) -> None:
        self.drain()
        self._finish()
        self._ended.set()

    @guarded("spill")
    def discard(self) -> None:
        """Also of one that was discarded before."""
        self._fail(LOST)
        self.drain()

    def blobs(self) -> Sequence[Blob] | None:
        if threading.get_ident() != self._writer:  # in its own thread the writer would wait for itself
            self._ended.wait(LATE_S)
        self._commit()
        if self._sha256 is None or self._opened is None:
            if self._ended.is_set():
                self.reason = self.reason or LOST
            return None
        starts = self._boundaries(self._opened[1].size)
        return [Blob(self._sha256, start, end - start) for start, end in pairwise(starts)]

    def _boundaries(self, size: int) -> list[int]:
        """Where each chunk begins, and where the last one ends: as heard, if the scrubber left all lengths."""
        ends = [min(end, size) for end in accumulate(self._sizes)]
        return [0, *ends[:-1], size]

    @guarded("spill")
    def _store(self, chunk: bytes) -> None:
        self._sizes.append(len(chunk))
        if not self._is_ours():
            self.reason = LOST
        if self.reason is None:
            self._on_disk(lambda: self._write(chunk))

    def _is_ours(self) -> bool:
        """False in the child of a fork: the file is its parent's."""
        return self._process == process.process_id()

    def _write(self, chunk: bytes) -> None:
        scrubber, blob = self._files()
        blob.write(scrubber.feed(chunk))

    def _files(self) -> tuple[Scrubber, BlobWriter]:
        if self._opened is None:
            # Let go: it holds the exchange, which holds the spill, and our finalizer would wait for itself.
            begin, self._begin = self._begin, _begun
            self._opened = begin()
        return self._opened

    @guarded("spill")
    def _finish(self) -> None:
        if self.reason is None and self._opened is not None:
            scrubber, blob = self._opened
            self._on_disk(lambda: blob.write(scrubber.end()))

    @guarded("spill")
    def _commit(self) -> None:
        """Only now that a part refers to it: what TIMETRACER_KEEP drops leaves no blob."""
        if self.reason is None and self._sha256 is None and self._ended.is_set() and self._opened is not None:
            blob = self._opened[1]
            self._on_disk(lambda: self._name(blob))

    def _name(self, blob: BlobWriter) -> None:
        self._sha256 = blob.commit()

    def _on_disk(self, call: Callable[[], None]) -> None:
        is_done = False
        try:
            call()
            is_done = True
        except StoreFull as error:
            guard.failed(f"store.{error.reason}", error)
            self._fail(error.reason)
        except OSError as error:
            guard.failed(f"store.{errno.errorcode.get(error.errno or 0, 'error')}", error)
            self._fail(STORE)
        finally:
            if not is_done and self.reason is None:
                self._fail(LOST)

    def _fail(self, reason: str) -> None:
        """The first reason counts. What was written so far goes."""
        self.reason = self.reason or reason
        if self._opened is not None and self._sha256 is None and self._is_ours():
            blob, self._opened = self._opened[1], None
            blob.discard()


def _begun() -> NoReturn:
    raise ValueError("the spill has begun, and its file has gone")
