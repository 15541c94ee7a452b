"""Batches -> files: in a background thread of a server, else in the caller. Implements `capture.segments.Sink`.

A daemon thread, started by the first batch: nothing waits for it at exit but `flush`, which the SDK calls.
"""

from __future__ import annotations

import errno
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.segments import KeepDecision, Key, key_of
from timetracer_otel.cassette.pieces import give_way, take_turn
from timetracer_otel.errors import StoreFull
from timetracer_otel.exporters.outlets import Outlets
from timetracer_otel.exporters.spill import DiskSpill

if TYPE_CHECKING:
    from timetracer_otel.capture.segments import Batch
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.config import Settings
    from timetracer_otel.exporters.encode import Encoder
    from timetracer_otel.redaction import Rules, Scrubber
    from timetracer_otel.store.blobs import BlobWriter

QUEUED_MAX_BATCHES: Final = 10_000
"""Batches that wait for the thread; payloads have their own limit. Above it a batch is lost and counted as `queue`."""


CATCH_UP_S: Final = 5.0
"""So long a thread that writes for itself waits for what is queued of the same segment."""


class Ledger(Protocol):
    """Who is told what became of a batch: the recorder."""

    def written(self, batch: Batch) -> None: ...

    def lost(self, batch: Batch, reason: str) -> None: ...

    def inherited(self, losses: Mapping[str, int]) -> None: ...

    def untold(self) -> dict[str, int]: ...


class Writer:
    """Never raises. `ledger` is set before the first `put`: recorder and writer know each other."""

    ledger: Ledger

    def __init__(self, settings: Settings, rules: Rules | None = None, outlets: Outlets | None = None) -> None:
        self._settings, self._rules = settings, rules
        self.outlets = outlets or Outlets()
        self._encoder: Encoder | None = None
        self.after_fork()

    def before_fork(self) -> None:
        """A module whose import another thread has begun could never be imported in the child: wait for its end."""
        self._importing.acquire()

    def after_fork_in_parent(self) -> None:
        self._importing.release()

    def after_fork(self) -> None:
        """The child has no thread, and writes nothing of what the parent had queued."""
        self._importing = threading.RLock()
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._overdue: tuple[threading.Event, float] | None = None
        self._has_adopted = False
        self._saved_losses: dict[str, int] = {}
        self._counting = threading.RLock()
        self.outlets.after_fork()
        self._queued: Counter[Key] = Counter()
        """Batches of a segment that wait for the thread, or that it is at."""
        if self._encoder is not None:
            self._encoder.after_fork()

    def prepare(self) -> None:
        if _is_on_event_loop():
            self._later(self._prepare)
        else:
            self._prepare()

    @guarded("writer")
    def _prepare(self) -> None:
        self._encoder_of_process()

    def put(self, batch: Batch) -> None:
        """Batches of one segment are written in the order in which they come."""
        key = key_of(batch)
        if not self._is_background(batch) and self._has_caught_up(key):
            self._write(batch)
        elif self._queue.qsize() >= QUEUED_MAX_BATCHES and not isinstance(batch, KeepDecision):
            self.ledger.lost(batch, "queue")
        else:
            self._count(key, 1)
            self._later(partial(self._write_queued, batch, key))

    def _has_caught_up(self, key: Key) -> bool:
        """False if something of this segment is queued still, after the thread had time for it."""
        if key is None or key not in self._queued:
            return True
        if threading.current_thread() is self._thread:
            return False
        done = threading.Event()
        self._later(done.set)
        done.wait(CATCH_UP_S)
        return key not in self._queued

    def _write_queued(self, batch: Batch, key: Key) -> None:
        try:
            self._write(batch)
        finally:
            self._count(key, -1)

    def _count(self, key: Key, number: int) -> None:
        with self._counting:
            self._queued[key] += number
            if not self._queued[key]:
                del self._queued[key]

    def spill(self, captured: Captured, released: Callable[[int], None]) -> DiskSpill | None:
        """Always in the thread: whoever streams has a client waiting."""
        if self.outlets.keeps_inline:
            return None
        return DiskSpill(self._later, partial(self._begin_blob, captured), released)

    @property
    def waiting(self) -> int:
        """Parts that are not written yet."""
        with self._counting:
            return self._queued.total()

    def flush(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        return self._flush_queue(timeout_s) and self.outlets.flush(max(0.0, deadline - time.monotonic()))

    def _flush_queue(self, timeout_s: float) -> bool:
        if self._thread is None and self._queue.empty():
            return True
        done = threading.Event()
        self._later(done.set)
        return self._wait(done, timeout_s)

    @guarded("writer")
    def close(self, timeout_s: float) -> None:
        """After the last flush."""
        if self._encoder is None:
            return
        if self._thread is None or not self._thread.is_alive():
            self._encoder.close()
            return
        done = threading.Event()
        self._later(guarded("writer")(self._encoder.close))
        self._later(done.set)
        self._wait(done, timeout_s)

    def _later(self, work: Callable[[], None]) -> None:
        self._queue.put(work)
        self._ensure_thread()

    def _wait(self, done: threading.Event, timeout_s: float) -> bool:
        """An app that ends flushes several times: while the store hangs, only the first of them waits for it."""
        late, waited_s = self._overdue or (done, 0.0)
        if done.wait(timeout_s if late is done or late.is_set() or waited_s < timeout_s else 0):
            return True
        if waited_s < timeout_s or late.is_set():
            self._overdue = done, timeout_s
        return False

    def _is_background(self, batch: Batch) -> bool:
        if self._settings.write == "background" or _is_on_event_loop():
            return True
        return self._settings.write == "auto" and batch.is_server

    def _ensure_thread(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._start_thread()

    def _start_thread(self) -> None:
        if _has_green_threads():
            self._drain()
            return
        self._thread = threading.Thread(target=self._run, name="timetracer-writer", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is shutting down, or the system has no thread left
            self._thread = None
            self._drain()

    def _drain(self) -> None:
        while not self._queue.empty():
            self._queue.get()()

    def _run(self) -> None:
        try:
            while True:
                _in_turn(self._queue.get())
        finally:  # what was raised is no Exception; the others that wait are not to blame
            self._thread = None
            if not self._queue.empty():
                self._ensure_thread()

    @guarded("writer")
    def _write(self, batch: Batch) -> None:
        reason: str | None = "interrupted"  # by what a signal handler of the application raises
        give_way()
        try:
            reason = self._save(batch)
        finally:
            if reason is None:
                self.ledger.written(batch)
            else:
                self.ledger.lost(batch, reason)
        self._save_losses(reason is None)
        give_way()

    def _save_losses(self, has_room: bool) -> None:
        """In a file as well: this process, a forked child above all, may end before it can write a part."""
        untold = self.ledger.untold()
        if untold == self._saved_losses:
            return
        if has_room:  # again: what children lost that ended meanwhile can be said as well
            self._has_adopted = False
        with suppress(OSError):  # nothing can be written at all; the log says so
            self._encoder_of_process().save_losses(untold)
            self._saved_losses = untold

    def _save(self, batch: Batch) -> str | None:
        """None, or why it could not be written."""
        saved = self._try(batch)
        return "part" if saved is None else saved or None

    @guarded("part")
    def _try(self, batch: Batch) -> str:
        """Empty, or why the store did not take it."""
        try:
            encoder = self._encoder_of_process()
            self._adopt(encoder)
            encoder.save(batch)
        except StoreFull as error:
            guard.failed(f"store.{error.reason}", error)
            return error.reason
        except OSError as error:
            # One counter, and so one line in the log, for each cause: a full disk after a missing right is news.
            guard.failed(f"store.{errno.errorcode.get(error.errno or 0, 'error')}", error)
            return "part"
        return ""

    def _adopt(self, encoder: Encoder) -> None:
        """Once in each process, a forked one too: what a killed sibling left is then soon among the traces."""
        if not self._has_adopted and self.outlets.has_store:
            self._has_adopted = True
            self.ledger.inherited(encoder.adopt())

    def _begin_blob(self, captured: Captured) -> tuple[Scrubber, BlobWriter]:
        return self._encoder_of_process().begin_blob(captured)

    def _encoder_of_process(self) -> Encoder:
        if self._encoder is None:
            with self._importing:
                from timetracer_otel.exporters.encode import Encoder
                from timetracer_otel.redaction import SECRETS

                self._encoder = Encoder(self._settings, self._rules or SECRETS, self.outlets)
        return self._encoder


def _is_on_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio")  # an app without it does not pay for its import, and has no loop
    # By `get_running_loop` a thread without one has an exception made.
    return asyncio is not None and asyncio._get_running_loop() is not None


def _in_turn(work: Callable[[], None]) -> None:
    """A function, so that nothing holds what has been written while the queue is empty."""
    take_turn()
    work()
    give_way()


def _has_green_threads() -> bool:
    """gevent has put greenlets in place of threads: one that waits for the queue would block all others.

    Its greenlets write for themselves: a file blocks them all in any case, so that a thread would gain nothing.
    """
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("threading")
