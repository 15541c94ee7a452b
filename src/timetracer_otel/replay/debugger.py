"""`--pdb`: a post mortem where the app raised, in the process where it runs.

The app's clock and the runner's time limit stand still meanwhile.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.replay.journal import Journal

if TYPE_CHECKING:
    import pdb

    from timetracer_otel.replay.clock import Clock

VARIABLE: Final = "TIMETRACER_PDB"
"""Set by the runner; the first Python of a program takes it out of its environment: one terminal has one debugger."""
LEFT: Final = "the debugger was left with q while the app ran: what it raised then is not the app's own"


def asked() -> bool:
    """True once: for the process that is to be debugged."""
    return bool(os.environ.pop(VARIABLE, ""))


class Debugger:
    """Every `pdb` of this process, also that of `breakpoint()`, stops the clock."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock, self._journal = clock, journal
        self._seen: BaseException | None = None

    def install(self) -> None:
        """Before the app replaces the hook or starts a debugger."""
        import pdb

        pdb.Pdb.interaction = self._timed(pdb.Pdb.interaction)  # type: ignore[method-assign]  # every pdb goes through it
        sys.excepthook = self._after(sys.excepthook)

    def stop_at(self, error: BaseException) -> None:
        """Lets the user look around where the exception was raised; returns when he has seen enough."""
        import bdb
        import pdb

        innermost = _innermost(error)
        if error is self._seen or innermost.__traceback__ is None or isinstance(innermost, bdb.BdbQuit):
            return
        self._seen = error
        print(f"timetracer: stopped where {type(innermost).__name__} was raised", flush=True)  # noqa: T201  as pdb does
        pdb.post_mortem(innermost.__traceback__)

    def _timed(self, interaction: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(interaction)
        def timed(debugger: pdb.Pdb, *arguments: Any) -> Any:
            began_ns = time.perf_counter_ns()
            self._journal.write("debugging", is_open=True)
            is_exit = False
            try:
                return interaction(debugger, *arguments)
            except SystemExit:  # q at a breakpoint, since Python 3.14
                is_exit = True
                raise
            finally:
                self._clock.set_back(time.perf_counter_ns() - began_ns)
                self._journal.write("debugging", is_open=False)
                # A post mortem is left with q as well: all is known by then.
                if (is_exit or debugger.quitting) and self._seen is None:
                    self._journal.write("incomplete", exchange=None, reason=LEFT)

        return timed

    def _after(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        def uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
            hook(kind, error, traceback)
            if isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                self.stop_at(error)

        return uncaught


def _innermost(error: BaseException) -> BaseException:
    """Into an exception group through its first member, where a task's error stands."""
    members = getattr(error, "exceptions", None)
    while isinstance(members, (list, tuple)) and members:
        error = members[0]
        members = getattr(error, "exceptions", None)
    return error
