"""What the application stores past its task, as with `app.backend.store_result(...)`: neither recorded nor compared."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

from timetracer_otel.drivers.celery import tasks

BACKENDS: Final = "celery.backends."
PASSED: Final = (BACKENDS, "timetracer_otel.")
"""Modules between whoever stores something and the backend."""
OWN: Final = "celery."
HEARD: Final = "update_state"
"""Celery's method by which a task gives itself a state: the ear of `states` is on it."""


def is_stored_past() -> bool:
    """Asked by a backend that is about to store something: True if neither Celery nor a state that was heard is why."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _module(frame).startswith(PASSED):
        frame = frame.f_back
    if frame is None or not _module(frame).startswith(OWN):
        return True
    return frame.f_code.co_name == HEARD and tasks.of(frame.f_locals["self"]) is None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def told(state: str, frame: str) -> str:
    """The line of the report; `frame` is empty where the application is in none."""
    by = f", stored by {frame}" if frame else ""
    return f"what the application stores past its task is not compared: state {state!r}{by}"
