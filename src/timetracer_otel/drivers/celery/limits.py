"""A task that its soft time limit ended is ended so again, after as long a time."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Final

from timetracer_otel.cassette.model import Exchange

SOFT: Final = "billiard.exceptions.SoftTimeLimitExceeded"
NS: Final = 1_000_000_000


@contextlib.contextmanager
def soft_limit(recorded: Exchange) -> Iterator[None]:
    """By the signal that a worker sends to its child: the exception comes out of whatever the task waits for."""
    if not (_was_cut(recorded) and hasattr(signal, "SIGUSR1") and _is_main_thread()):
        yield
        return
    from billiard.pool import soft_timeout_sighandler

    before = signal.signal(signal.SIGUSR1, soft_timeout_sighandler)
    aimed_at = (threading.get_ident(), signal.SIGUSR1)
    timer = threading.Timer(min(recorded.duration_ns / NS, threading.TIMEOUT_MAX), signal.pthread_kill, aimed_at)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # one that is on its way would end the process
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def _was_cut(recorded: Exchange) -> bool:
    exception = recorded.result.get("exception")
    return isinstance(exception, Mapping) and exception.get("type") == SOFT


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
