"""gevent puts greenlets in place of threads and sockets. A replay, which answers from threads, refuses such a process:
they would block every greenlet that they should answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.errors import ReplayError

PATCHED: Final = frozenset({"socket", "threading", "_thread"})
PATCH: Final = "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH"


def check() -> None:
    """Raises ReplayError in a process that gevent has patched."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and any(monkey.is_module_patched(name) for name in PATCHED):
        raise refusal()


def watch(refuse: Callable[[ReplayError], object]) -> None:
    """Calls `refuse` before gevent patches this process: the application does it when it is imported.

    Source: gevent 24.2, `gevent.events`.
    """
    from wrapt import register_post_import_hook

    def will_patch(event: object) -> None:
        if getattr(event, "module_name", None) in PATCHED:
            refuse(refusal())

    @guarded("gevent")
    def came(events: ModuleType) -> None:
        events.subscribers.append(will_patch)

    register_post_import_hook(came, "gevent.events")


def refusal() -> ReplayError:
    return ReplayError(
        "gevent",
        "it puts greenlets in place of the threads that a replay answers from",
        f"replay without monkey.patch_all(): unset {PATCH}, and call it in the program that serves, not in the app",
    )
