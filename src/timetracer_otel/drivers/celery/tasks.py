"""The ear of a worker: hears a task as it begins and how it ends, by Celery's own signals."""

from __future__ import annotations

import sys
import time
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import Captured, Tape, tape
from timetracer_otel.cassette.pieces import give_way
from timetracer_otel.drivers.celery.app_name import name_of
from timetracer_otel.drivers.celery.heard import NOTHING, HeardNotes, HeardOutcome, HeardTask
from timetracer_otel.drivers.celery.names import FAILURE, LIB

LIMIT: Final = "limit"
TRACER: Final = "trace_task"
"""Celery's function that runs a task. Source: celery 5.4 to 5.7, `app/trace.py`."""


class Hearing:
    """One run of a task. `outer` is the task that runs it eagerly."""

    __slots__ = ("_captured", "_notes", "_tape", "_task", "outer", "request", "traceback")

    def __init__(self, to: Tape, captured: Captured, task: HeardTask, request: object, outer: Hearing | None) -> None:
        self._tape, self._captured, self._task = to, captured, task
        self._notes: HeardNotes | None = None
        self.request, self.outer = request, outer
        self.traceback: str | None = None
        """As Celery tells it, of a failure or a retry."""

    @property
    def task_id(self) -> object:
        return getattr(self.request, "id", None)

    def note(self, kind: str, **fields: object) -> None:
        """What the task does on its way, beside what it asks."""
        if self._notes is None:
            self._notes = HeardNotes()
        self._notes.add(kind, fields)

    def lasts_ns(self) -> int:
        """Until now."""
        return time.time_ns() - self._captured.opened_ns

    def ended(self, state: str | None, value: object) -> None:
        if state is None:  # nothing that Celery catches: the process is asked to go
            value = sys.exc_info()[1]
        outcome = HeardOutcome(state, value, self.traceback, self._notes or NOTHING)
        size = self._task.size + outcome.size
        dropped = LIMIT if self._task.is_too_large else None
        self._tape.close(self._captured, outcome, size, complete=state is not None, dropped=dropped)


_running: ContextVar[Hearing | None] = ContextVar("timetracer_celery_task", default=None)


def running() -> Hearing | None:
    """The task that the worker has this code for: the outermost, where tasks run others eagerly."""
    hearing = _running.get()
    while hearing is not None and hearing.outer is not None:
        hearing = hearing.outer
    return hearing


@guarded(LIB)
def on_worker_init(sender: Any = None, **_: object) -> None:
    """Any: a worker, which has imported its tasks and not forked yet. What each child would make in its first task is
    made here, once."""
    if (to := tape()) is not None:
        name_of(sender.app)
        to.prepare()


@guarded(LIB)
def on_prerun(task: Any = None, **_: object) -> None:
    """Any: a Celery task. Comes after OpenTelemetry's receiver, which begins the span."""
    if (to := tape()) is None:
        return
    to.entry_began()
    if not to.listens() or (request := task.request) is None:  # Celery looks it up each time; a task may hide it
        return
    from celery._state import task_join_will_block

    heard = HeardTask(task.app, str(task.name), vars(request), bool(task_join_will_block()))
    captured = to.open(LIB, heard, is_entry=True)
    if captured is not None:
        if not request.is_eager:  # that runs in the thread of its caller, which may have an event loop
            give_way()
        _running.set(Hearing(to, captured, heard, request, _running.get()))


@guarded(LIB)
def on_postrun(task: Any = None, state: str | None = None, retval: object = None, **_: object) -> None:
    """Comes before OpenTelemetry's receiver, which ends the span."""
    hearing = of(task)
    if hearing is not None:
        _running.set(hearing.outer)
        if (error := _escaping()) is not None:
            hearing.traceback = _told(error)
            state, retval = FAILURE, error
        hearing.ended(state, retval)


def _escaping() -> Exception | None:
    """What was raised outside of the task's body, by `on_failure`, by sending the next of a chain or by the result's
    serializer, and is on its way out of Celery's tracer. `task_postrun` comes before Celery makes a failure of it, and
    has the state from before or none."""
    error = sys.exc_info()[1]
    if error is None or not isinstance(error, Exception) or error.__traceback__ is None:
        return None
    from celery.exceptions import Reject

    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != TRACER:
        frame = frame.f_back
    # One that begins in another frame is handled by who runs this task, eagerly.
    is_of_this_run = error.__traceback__.tb_frame is frame
    return error if is_of_this_run and not isinstance(error, Reject | MemoryError) else None


def _told(error: Exception) -> str:
    from billiard.einfo import ExceptionInfo

    return str(ExceptionInfo((type(error), error, error.__traceback__)).traceback)


@guarded(LIB)
def on_failure(sender: Any = None, einfo: Any = None, **_: object) -> None:
    _traceback(sender, einfo)


@guarded(LIB)
def on_retry(sender: Any = None, einfo: Any = None, **_: object) -> None:
    _traceback(sender, einfo)


def _traceback(task: Any, einfo: Any) -> None:
    hearing = of(task)
    if hearing is not None and einfo is not None:
        hearing.traceback = str(einfo.traceback)


def of(task: Any) -> Hearing | None:
    """That of the run which the task is at."""
    hearing = _running.get()
    return hearing if hearing is not None and hearing.request is task.request else None
