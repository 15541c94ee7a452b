"""The taps' places: Celery's signals, and the function by which every app sends.

Seams: celery >= 5.4 (`signals.*`, `Signal.receivers`, `app.amqp.AMQP._create_task_sender`,
`Task.update_state`, `Backend.chord_error_from_stack`, `Celery._get_backend`),
billiard >= 4.2 (`pool.soft_timeout_sighandler`),
opentelemetry-instrumentation-celery >= 0.51b0 (its receivers begin and end the spans).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.config import Settings
from timetracer_otel.drivers.celery import chords, heard, keeping, limits, lost, publishing, results, states, tasks
from timetracer_otel.drivers.celery.names import LIB
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "its tasks are not recorded"
Receivers = tuple[tuple[str, Callable[..., None]], ...]

AFTER_THEIRS: Final[Receivers] = (
    ("task_prerun", tasks.on_prerun),
    ("task_failure", tasks.on_failure),
    ("task_retry", tasks.on_retry),
    ("before_task_publish", publishing.on_before_publish),
)
"""OpenTelemetry's receivers begin a span in these signals."""
BEFORE_THEIRS: Final[Receivers] = (
    ("task_postrun", tasks.on_postrun),
    ("after_task_publish", publishing.on_after_publish),
)
"""And end it in these."""
OF_WORKER: Final[Receivers] = (("worker_init", tasks.on_worker_init),)
RECEIVERS: Final[Receivers] = (*AFTER_THEIRS, *BEFORE_THEIRS, *OF_WORKER)


class CeleryRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self) -> None:
        if self._patches:
            return
        from billiard import pool
        from celery import Celery, signals
        from celery.app.amqp import AMQP
        from celery.app.task import Task
        from celery.backends.base import Backend
        from celery.result import AsyncResult, ResultSet

        named = [(signals, name) for name, _ in RECEIVERS]
        on_the_way = [(Task, "update_state"), (Backend, "chord_error_from_stack"), (pool, "soft_timeout_sighandler")]
        reads = [(AsyncResult, "get"), (AsyncResult, "_get_task_meta"), (ResultSet, "iter_native")]
        reads.append((Celery, "_get_backend"))
        require(
            LIB, [(AMQP, "_create_task_sender"), (signals.task_prerun, "receivers"), *named, *on_the_way, *reads], LOST
        )
        heard.payload_max_bytes = Settings.from_environment().payload_max_bytes
        publishing.install(self._patches)
        results.install(self._patches)
        keeping.install(self._patches)
        states.install(self._patches)
        chords.install(self._patches)
        limits.install(self._patches)
        lost.install(self._patches)
        line_up()

    def uninstall(self) -> None:
        from celery import signals

        for name, receiver in RECEIVERS:
            getattr(signals, name).disconnect(receiver)
        self._patches.undo()


def line_up() -> None:
    """Our receivers go around those of OpenTelemetry, wherever these have come meanwhile: a signal calls them in the
    order in which they stand."""
    from celery import signals

    for name, receiver in (*AFTER_THEIRS, *OF_WORKER):
        _connect_last(getattr(signals, name), receiver)
    for name, receiver in BEFORE_THEIRS:
        signal = getattr(signals, name)
        _connect_last(signal, receiver)
        with signal.lock:
            signal.receivers.insert(0, signal.receivers.pop())
            signal.sender_receivers_cache.clear()


def _connect_last(signal: Any, receiver: Callable[..., None]) -> None:
    signal.disconnect(receiver)
    signal.connect(receiver, weak=False)


RECORDING: Final = CeleryRecording()
