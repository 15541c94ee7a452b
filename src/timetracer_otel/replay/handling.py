"""Whether the app is dealing with a miss.

What it asks then, in an `except`, a `finally` or an `on_failure`, the recorded app had no reason to ask.
"""

from __future__ import annotations

import sys
from typing import Final

from timetracer_otel.replay.explain import UNANSWERED

CHAIN_MAX: Final = 20


def is_after_miss() -> bool:
    """True where the exception that is being handled in this thread or task, or what led to it, is of a miss."""
    error = sys.exc_info()[1]
    for _ in range(CHAIN_MAX):
        if error is None:
            return False
        # Not `str(error)`: the app's own may do anything.
        if any(isinstance(each, str) and UNANSWERED in each for each in error.args):
            return True
        error = error.__cause__ or error.__context__
    return False
