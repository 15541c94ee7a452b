"""Words that all parts of the driver share."""

from __future__ import annotations

from typing import Final

LIB: Final = "celery"
RUN: Final = "task.run"
PUBLISH: Final = "task.publish"
RESULT: Final = "task.result"
FAILURE: Final = "FAILURE"
"""Celery's word for the state of a task that raised."""

TRACE_HEADERS: Final = frozenset({"traceparent", "tracestate", "baggage"})
"""What OpenTelemetry adds to a message: another value in each run."""

STATES: Final = "states"
CHORD_ERRORS: Final = "chord_errors"
SOFT_LIMITS: Final = "soft_limits"
LEFT_OUT: Final = "left_out"
"""Of a task's result, beside how it ended: states that it gave itself, chords that it failed, when its soft time limit
came; and how many of these were not kept."""
