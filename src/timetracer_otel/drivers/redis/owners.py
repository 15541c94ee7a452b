"""Connections that are Celery's own: its broker and its results. What they say is recorded by Celery's driver.

By connection, not by command or by who calls: acknowledgements and results go out in other threads, outside of tasks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from wrapt import register_post_import_hook

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.redis.names import LIBRARY
from timetracer_otel.drivers.redis.tracking import OWNER

OWNERS: Final = {
    "kombu.transport.redis": ("Channel", "SentinelChannel"),
    "celery.backends.redis": ("RedisBackend", "SentinelBackend"),
}
"""Classes whose `_get_pool` makes the pool. Source: kombu and celery 5.4 to 5.7."""
POOL: Final = "_get_pool"
MAKE: Final = "make_connection"


def put_in(patches: Patches) -> None:
    """From now on connections of such pools are marked, whenever their modules are imported."""
    for module in OWNERS:
        register_post_import_hook(functools.partial(_imported, patches), module)


@guarded(LIBRARY)
def _imported(patches: Patches, module: Any) -> None:
    for name in OWNERS[module.__name__]:
        owner = getattr(module, name, None)
        if owner is not None and POOL in vars(owner) and patches:  # else the taps are out again
            patches.put(owner, POOL, _marking(vars(owner)[POOL]))


def _marking(original: Callable[..., Any]) -> Callable[..., Any]:
    mark = guarded(LIBRARY)(_mark)

    @functools.wraps(original)
    def _get_pool(self: Any, *args: Any, **kwargs: Any) -> Any:
        pool = original(self, *args, **kwargs)
        mark(pool)
        return pool

    return _get_pool


def _mark(pool: Any) -> None:
    make = getattr(pool, MAKE, None)
    if make is None or MAKE in vars(pool):  # a stand-in for a pool, as tests have it, makes none
        return

    @functools.wraps(make)
    def make_connection(*args: Any, **kwargs: Any) -> Any:
        connection = make(*args, **kwargs)
        setattr(connection, OWNER, True)
        return connection

    setattr(pool, MAKE, make_connection)
