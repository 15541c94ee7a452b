"""A task that its soft time limit ended, or told to come to an end, is told so again, after as long a time."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.celery import tasks
from timetracer_otel.drivers.celery.names import LIB, SOFT_LIMITS
from timetracer_otel.drivers.patches import Patches

SOFT: Final = "billiard.exceptions.SoftTimeLimitExceeded"
NS: Final = 1_000_000_000


# ---- what is heard ---------------------------------------------------------------------------------------------------


def install(patches: Patches) -> None:
    """A child of a worker takes the function as it starts."""
    from billiard import pool

    patches.put(pool, "soft_timeout_sighandler", _heard(pool.soft_timeout_sighandler))


def _heard(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def soft_timeout_sighandler(signum: int, frame: Any) -> Any:
        _note()
        return original(signum, frame)

    return soft_timeout_sighandler


@guarded(LIB)
def _note() -> None:
    hearing = tasks.running()
    if hearing is not None:
        hearing.note(SOFT_LIMITS, after_ns=hearing.lasts_ns())


# ---- what comes again ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def soft_limit(recorded: Exchange) -> Iterator[None]:
    """By the signal that a worker sends to its child: the exception comes out of whatever the task waits for."""
    after_ns = _cut_after_ns(recorded)
    if after_ns is None or not hasattr(signal, "SIGUSR1") or not _is_main_thread():
        yield
        return
    from billiard.pool import soft_timeout_sighandler

    before = signal.signal(signal.SIGUSR1, soft_timeout_sighandler)
    aimed_at = (threading.get_ident(), signal.SIGUSR1)
    timer = threading.Timer(min(after_ns / NS, threading.TIMEOUT_MAX), signal.pthread_kill, aimed_at)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # one that is on its way would end the process
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def _cut_after_ns(recorded: Exchange) -> int | None:
    """None where the limit did not come. Older recordings tell only of one that ended the task."""
    cuts = recorded.result.get(SOFT_LIMITS)
    for cut in cuts if isinstance(cuts, Sequence) else ():
        if isinstance(cut, Mapping) and isinstance(after_ns := cut.get("after_ns"), int):
            return max(after_ns, 0)
    exception = recorded.result.get("exception")
    was_cut = isinstance(exception, Mapping) and exception.get("type") == SOFT
    return recorded.duration_ns if was_cut else None


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
