"""Ways out of a process that pass by `atexit`, and may come sooner than the writer's thread.

Children of multiprocessing leave by `os._exit`, a server of uvicorn (alone, as worker of uvicorn or of gunicorn) by
raising the signal again that it was sent.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from timetracer_otel.capture.guard import guarded

LAST: Final = -1000
"""Exit priority: multiprocessing runs what has the lowest at the end."""

_is_followed = False


def follow_uvicorn(flush: Callable[[], object]) -> None:
    """Every server of uvicorn flushes when it has shut down.

    Source: uvicorn 0.54, `Server.shutdown` and `Server.capture_signals`.
    """
    from wrapt import register_post_import_hook

    @guarded("leaving")
    def came(module: ModuleType) -> None:
        module.Server.shutdown = _flushing(module.Server.shutdown, flush)

    register_post_import_hook(came, "uvicorn.server")  # an app without it never pays


def _flushing(shutdown: Callable[..., Any], flush: Callable[[], object]) -> Callable[..., Any]:
    @functools.wraps(shutdown)
    async def followed(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = await shutdown(self, *args, **kwargs)
        if not getattr(self, "force_exit", False):
            await _off_the_loop(flush)
        return result

    return followed


async def _off_the_loop(flush: Callable[[], object]) -> None:
    import asyncio  # an app without it does not pay for its import

    try:
        await asyncio.to_thread(flush)
    except RuntimeError:  # the system has no thread left
        flush()


def follow_multiprocessing(flush: Callable[[], object]) -> None:
    """Its forked children flush before they leave. Called before each fork: only then is it known to be in use.

    `flush` is held weakly by multiprocessing. Source: CPython, `multiprocessing.process.BaseProcess._bootstrap`, which
    forgets what was registered for the exit of the parent.
    """
    global _is_followed
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _is_followed:
        _is_followed = True
        util.register_after_fork(flush, _flush_at_exit)


def _flush_at_exit(flush: Callable[[], object]) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, flush, exitpriority=LAST)
