"""The one place where our failures end: a tap that raises is counted, logged once, and the application goes on.

`guarded` and `asking` are the only broad `except` of the package. In our own tests `strict` makes it raise again.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from timetracer_otel.capture.signals import is_from_handler

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("timetracer_otel")

strict = False
"""Set by our tests: a failure inside the guard is raised after it was counted."""

failures: Counter[str] = Counter()
"""Failures per tap since the process began; they travel with the next part (`dropped`) and are shown by `doctor`."""

# Re-entrant: the garbage collector may run a finalizer of the app, which ends a span, while this thread holds it.
_lock = threading.RLock()


def guarded(tap: str) -> Callable[[Callable[P, T]], Callable[P, T | None]]:
    """A decorator: the function's result, or None after a failure of any kind short of BaseException.

    What a signal handler of the application raises meanwhile is no failure of ours, and goes on its way.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T | None]:
        @functools.wraps(function)
        def safe(*args: P.args, **kwargs: P.kwargs) -> T | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                if _is_of_app(tap, error):
                    raise
                return None

        return safe

    return decorate


def asking(tap: str) -> Callable[[Callable[[], T]], Callable[[], T | None]]:
    """As `guarded`, of a function without arguments, in a third of the time: it is asked again and again."""

    def decorate(function: Callable[[], T]) -> Callable[[], T | None]:
        @functools.wraps(function)
        def safe() -> T | None:
            try:
                return function()
            except Exception as error:
                if _is_of_app(tap, error):
                    raise
                return None

        return safe

    return decorate


def _is_of_app(tap: str, error: Exception) -> bool:
    """True if it goes on its way; else it is counted."""
    try:
        if is_from_handler(error):
            return True
        failed(tap, error)
    except RecursionError:  # the application is at its limit: there is no room to say it
        failures[tap] = failures.get(tap, 0) + 1
    return strict


def failed(tap: str, error: BaseException) -> None:
    """Counts a failure of `tap` and logs the first one with its cause."""
    with _lock:
        failures[tap] += 1
        is_first = failures[tap] == 1
    if is_first:
        warn(
            f"{tap} failed ({type(error).__name__}: {_text(error)}); "
            "what it would have recorded is lost, the application is not affected",
            error,
        )


def counts() -> Counter[str]:
    """A copy of `failures`."""
    with _lock:
        return Counter(failures)


def warn(message: str, error: BaseException | None = None) -> None:
    """One line in the app's log, with the traceback of `error` when that log shows debugging."""
    try:
        log.warning("timetracer: %s", message, exc_info=error if log.isEnabledFor(logging.DEBUG) else None)
    except Exception:  # noqa: BLE001  a handler or filter of the app that raises
        return


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  an exception of the app whose __str__ raises
        return "no message"


def after_fork() -> None:
    """The child starts with nothing counted and a lock that nobody holds."""
    global _lock
    _lock = threading.RLock()
    failures.clear()
