"""Chords that a task completes. Which task that is, its result backend counts, and what it does then it does in that
task: it sends the body, or, where the header has failed, calls the error callbacks of the body and fails it.

A recording has the messages that were sent, and of a failure what the callbacks were told. A replay has no counter:
what the recorded task did with a chord is done again.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from types import FrameType
from typing import Any

from timetracer_otel.capture.guard import guarded
from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers.celery import tasks
from timetracer_otel.drivers.celery.exceptions import type_name
from timetracer_otel.drivers.celery.names import CHORD_ERRORS, LIB
from timetracer_otel.drivers.celery.typed import restore
from timetracer_otel.drivers.patches import Patches

Method = Callable[..., Any]
"""Of Celery, which has no types."""

_recorded: ContextVar[Payload | None] = ContextVar("timetracer_celery_recorded", default=None)
"""How the task ended that is replayed here."""


# ---- what is heard ---------------------------------------------------------------------------------------------------


def install(patches: Patches) -> None:
    from celery.backends.base import Backend

    patches.put(Backend, "chord_error_from_stack", _heard(Backend.chord_error_from_stack))


def _heard(original: Method) -> Method:
    @functools.wraps(original)
    def chord_error_from_stack(self: Any, callback: Any, exc: Any = None) -> Any:
        _note(callback, sys.exc_info()[1] if exc is None else exc)
        return original(self, callback, exc)

    return chord_error_from_stack


@guarded(LIB)
def _note(body: Any, error: Any) -> None:
    hearing = tasks.running()
    if hearing is not None:
        cause = error.__cause__
        told = None if cause is None else {"type": type_name(type(cause)), "arguments": list(cause.args)}
        hearing.note(CHORD_ERRORS, chord=name_of(body), message=str(error), cause=told)


# ---- what is done again ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def of(exchange: Exchange) -> Iterator[None]:
    """While this recorded task is replayed."""
    token = _recorded.set(exchange.result)
    try:
        yield
    finally:
        _recorded.reset(token)


def error_of(chord: Mapping[str, Any], state: str) -> tuple[str, Any] | None:
    """With what the recorded task failed this chord, message and cause; None if it did not, or ended otherwise."""
    result = _recorded.get() or {}
    failed = result.get(CHORD_ERRORS) if result.get("state") == state else None
    for each in failed if isinstance(failed, Sequence) else ():
        if isinstance(each, Mapping) and each.get("chord") == name_of(chord):
            return str(each.get("message")), restore(each.get("cause"))
    return None


def are_revoked() -> bool:
    """True where Celery itself takes back the tasks of a body whose chord has failed; a callback that it calls
    meanwhile is the application's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_of_backend(frame, "_call_task_errbacks"):
        if is_of_backend(frame, "_handle_group_chord_error"):
            return True
        frame = frame.f_back
    return False


def is_of_backend(frame: FrameType, name: str) -> bool:
    """True in Celery's own method of this name; the application may have a function that is called so."""
    return frame.f_code.co_name == name and frame.f_globals.get("__name__") == "celery.backends.base"


# ---- what a chord's body is ------------------------------------------------------------------------------------------


def name_of(body: Mapping[str, Any]) -> str:
    """By which a body is known again."""
    return next((str(each["options"].get("task_id")) for each in first_of(body)), "")


def first_of(signature: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The tasks that are sent at once when this is: of a chain its first, of a group all, of a chord its header."""
    kind, within = signature.get("subtask_type"), signature.get("kwargs") or {}
    if kind == "chain":
        parts = list(within.get("tasks") or ())[:1]
    elif kind == "group":
        parts = list(within.get("tasks") or ())
    elif kind == "chord":
        header = within.get("header") or ()
        parts = [header] if isinstance(header, Mapping) else list(header)
    else:
        yield signature
        return
    for each in parts:
        yield from first_of(each)
