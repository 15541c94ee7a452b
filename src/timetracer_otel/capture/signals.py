"""Exceptions that are the application's though they come up in our code: its signal handlers raise them anywhere."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any


def is_from_handler(error: BaseException) -> bool:
    """True if a signal handler of the application raised it: a soft time limit, an alarm, a request to stop."""
    signal = sys.modules.get("signal")  # an application without it has no handler
    if signal is None:
        return False
    handlers = {code for number in signal.valid_signals() for code in _codes(signal.getsignal(number))}
    return not handlers.isdisjoint(_frames(error))


def _frames(error: BaseException) -> Iterator[CodeType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame.f_code
        traceback = traceback.tb_next


def _codes(handler: Any) -> Iterator[CodeType]:
    """Of whatever can be called; nothing for SIG_DFL, SIG_IGN and what is written in C."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    for candidate in (handler, vars(type(handler)).get("__call__")):
        code = getattr(candidate, "__code__", None)  # a bound method lends that of its function
        if isinstance(code, CodeType):
            yield code
