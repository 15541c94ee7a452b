"""Words that all parts of the driver share, and the check of the names in Celery that they need."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from timetracer_otel.drivers.missing import MissingNames

LIB: Final = "celery"
RUN: Final = "task.run"
PUBLISH: Final = "task.publish"
RESULT: Final = "task.result"

TRACE_HEADERS: Final = frozenset({"traceparent", "tracestate", "baggage"})
"""What OpenTelemetry adds to a message: another value in each run."""


def require(names: Iterable[tuple[Any, str]], lost: str) -> None:
    """Raises MissingNames for those that the installed Celery lacks."""
    missing = [
        f"{getattr(owner, '__name__', type(owner).__name__)}.{name}"
        for owner, name in names
        if not hasattr(owner, name)
    ]
    if missing:
        raise MissingNames(LIB, celery_version(), tuple(missing), lost)


def celery_version() -> str:
    try:
        return version(LIB)
    except PackageNotFoundError:
        return "(not installed)"
