"""OTLP out of a recording application: a thread of its own, bounded memory, and nobody waits but at the end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.config import MIB
from timetracer_otel.errors import BackendError
from timetracer_otel.exporters.otlp import transfer
from timetracer_otel.exporters.otlp.packing import Package, halves, packages
from timetracer_otel.exporters.otlp.push import PROTOBUF, check_taken, is_too_large
from timetracer_otel.exporters.otlp.transfer import Client

if TYPE_CHECKING:
    from timetracer_otel.exporters.otlp.encoding import Scoped
    from timetracer_otel.exporters.otlp.endpoint import Endpoint

QUEUED_MAX_BYTES: Final = 64 * MIB
"""Of spans that wait for a slow backend. What comes above it is lost and counted, the application never waits."""
FAILURES: Final = "otlp"
"""Under which name what was lost is counted: `doctor` and the next part show it."""


class Sender:
    """Never raises, and never blocks but in `flush`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.after_fork()

    def after_fork(self) -> None:
        """A child has no thread, and what waits is its parent's."""
        # Re-entrant: the garbage collector may run a finalizer of the app, which ends a span, while we hold it.
        self._lock = threading.RLock()
        self._waiting: deque[tuple[Sequence[Scoped], int]] = deque()
        self._queued_bytes = 0
        self._given = self._done = 0
        self._progress = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_late_at = -1

    def put(self, spans: Sequence[Scoped]) -> None:
        size = sum(one.span.ByteSize() for one in spans)
        with self._lock:
            is_full = self._queued_bytes + size > QUEUED_MAX_BYTES
            if not is_full:
                self._queued_bytes += size
                self._given += 1
                self._waiting.append((spans, size))
        if is_full:
            problem = f"over {QUEUED_MAX_BYTES // MIB} MiB of spans wait for it"
            guard.failed(FAILURES, BackendError(self._endpoint.url, problem, "it is slower than the application"))
            return
        self._wake.set()
        self._ensure_thread()

    def flush(self, timeout_s: float) -> bool:
        """True when all that was put has been sent, or given up. Who waited in vain once waits again only for news."""
        deadline, wanted = time.monotonic() + timeout_s, self._given
        while self._done < wanted:
            left_s = deadline - time.monotonic()
            self._progress.clear()
            if self._done >= wanted:
                break
            if left_s <= 0 or self._is_late_at == self._done or not self._progress.wait(left_s):
                self._is_late_at = self._done
                return self._done >= wanted
        return True

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._thread = threading.Thread(target=self._run, name="timetracer-otlp", daemon=True)
            thread = self._thread
        try:
            thread.start()
        except RuntimeError as error:  # the interpreter is shutting down, or the system has no thread left
            self._give_up(error)

    def _give_up(self, error: RuntimeError) -> None:
        with self._lock:
            self._thread = None
            self._waiting.clear()
            self._queued_bytes, self._done = 0, self._given
        guard.failed(FAILURES, error)

    def _run(self) -> None:
        with _unseen():
            client = self._endpoint.connection.client()
            while True:
                self._wake.wait()
                self._wake.clear()
                while taken := self._take():
                    self._send_all(client, [one for spans, _ in taken for one in spans])
                    self._sent(taken)

    def _take(self) -> list[tuple[Sequence[Scoped], int]]:
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def _sent(self, taken: Sequence[tuple[Sequence[Scoped], int]]) -> None:
        with self._lock:
            self._queued_bytes -= sum(size for _, size in taken)
            self._done += len(taken)
        self._progress.set()

    def _send_all(self, client: Client, spans: Sequence[Scoped]) -> None:
        waiting = list(packages(spans))
        while waiting:
            package = waiting.pop(0)
            if self._send(client, package) is False:
                waiting[:0] = halves(package)

    @guarded(FAILURES)
    def _send(self, client: Client, package: Package) -> bool:
        """False if the backend wants less at once; what it does not want at all is counted."""
        data, url = package.message().SerializeToString(), self._endpoint.url
        is_packed = self._endpoint.is_packed
        try:
            answer = transfer.patiently(partial(client.post, url, data, PROTOBUF, is_packed))
            if is_too_large(answer) and len(package.spans) > 1:
                return False
            check_taken(answer, package, url, len(data))
        except BackendError as error:
            guard.failed(FAILURES, error)
        return True


@contextmanager
def _unseen() -> Iterator[None]:
    """No instrumentation makes spans of what we send, nor is it recorded."""
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    with suppress_instrumentation():
        yield
