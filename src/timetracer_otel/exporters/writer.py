"""Batches -> files: in a background thread of a server, else in the caller. Implements `capture.segments.Sink`.

A daemon thread, started by the first batch: nothing waits for it at exit but `flush`, which the SDK calls.
"""

from __future__ import annotations

import errno
import queue
import sys
import threading
from typing import TYPE_CHECKING, Final, Protocol

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from timetracer_otel.capture.segments import Batch
    from timetracer_otel.capture.table import Spill
    from timetracer_otel.config import Settings
    from timetracer_otel.exporters.encode import Encoder

QUEUED_MAX_BATCHES: Final = 10_000
"""Batches that wait for the thread; payloads have their own limit. Above it a batch is lost and counted as `queue`."""


class Ledger(Protocol):
    """Who is told what became of a batch: the recorder."""

    def written(self, batch: Batch) -> None: ...

    def lost(self, batch: Batch, reason: str) -> None: ...


class Writer:
    """Never raises. `ledger` is set before the first `put`: recorder and writer know each other."""

    ledger: Ledger

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
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
        self._queue: queue.SimpleQueue[Batch | threading.Event] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._overdue: tuple[threading.Event, float] | None = None

    def put(self, batch: Batch) -> None:
        if not self._is_background(batch):
            self._write(batch)
        elif self._queue.qsize() >= QUEUED_MAX_BATCHES:
            self.ledger.lost(batch, "queue")
        else:
            self._queue.put(batch)
            self._ensure_thread()

    def spill(self, released: Callable[[int], None]) -> Spill | None:
        return None

    def flush(self, timeout_s: float) -> bool:
        if self._thread is None and self._queue.empty():
            return True
        done = threading.Event()
        self._queue.put(done)
        self._ensure_thread()
        return self._wait(done, timeout_s)

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
        self._thread = threading.Thread(target=self._run, name="timetracer-writer", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is shutting down, or the system has no thread left
            self._thread = None
            self._drain()

    def _drain(self) -> None:
        while not self._queue.empty():
            self._take(self._queue.get())

    def _run(self) -> None:
        while True:
            self._take(self._queue.get())

    def _take(self, item: Batch | threading.Event) -> None:
        if isinstance(item, threading.Event):
            item.set()
        else:
            self._write(item)

    @guarded("writer")
    def _write(self, batch: Batch) -> None:
        if self._save(batch):
            self.ledger.written(batch)
        else:
            self.ledger.lost(batch, "part")

    @guarded("part")
    def _save(self, batch: Batch) -> bool:
        try:
            self._encoder_of_process().save(batch)
        except OSError as error:
            # One counter, and so one line in the log, for each cause: a full disk after a missing right is news.
            guard.failed(f"store.{errno.errorcode.get(error.errno or 0, 'error')}", error)
            return False
        return True

    def _encoder_of_process(self) -> Encoder:
        if self._encoder is None:
            with self._importing:
                from timetracer_otel.exporters.encode import Encoder

                self._encoder = Encoder(self._settings)
        return self._encoder


def _is_on_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio")  # an app without it does not pay for its import, and has no loop
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
