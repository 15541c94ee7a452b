"""Results as Celery keeps them: what it asks their server for, by whichever driver (SQLAlchemy over psycopg, pymongo,
botocore), is Celery's own. Replay has a backend without a server, and what a task reads of others `results` records.

By method, not by connection: the server may be the application's as well. No code of the application's runs in these.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import hushed
from timetracer_otel.drivers.celery.names import LIB
from timetracer_otel.drivers.patches import Patches

Method = Callable[..., Any]
"""Of Celery, which has no types."""
OF_ALL: Final = (
    *("_store_result", "_get_task_meta_for", "_forget", "cleanup"),
    *("_save_group", "_restore_group", "_delete_group"),
)
OF_KEYS: Final = ("get", "mget", "set", "_set_with_state", "delete", "incr", "expire")
"""Of backends that keep values under keys; a chord counts by them. Source: celery 5.4 to 5.7, `backends/base.py`."""


def install(patches: Patches) -> None:
    """Backends that an app has already keep what they have."""
    from celery import Celery

    patches.put(Celery, "_get_backend", _making(Celery._get_backend))


def _making(original: Method) -> Method:
    """A database has its tables made with the backend: in the request that sends the first task."""
    make = _hushed(original)

    @functools.wraps(original)
    def _get_backend(self: Any) -> Any:
        backend = make(self)
        _hush(backend)
        return backend

    return _get_backend


@guarded(LIB)
def _hush(backend: Any) -> None:
    from celery.backends.base import BaseKeyValueStoreBackend

    names = (*OF_ALL, *OF_KEYS) if isinstance(backend, BaseKeyValueStoreBackend) else OF_ALL
    for name in names:
        if (method := getattr(backend, name, None)) is not None:
            setattr(backend, name, _hushed(method))


def _hushed(method: Method) -> Method:
    @functools.wraps(method)
    def asked(*args: Any, **kwargs: Any) -> Any:
        token = hushed.set(True)
        try:
            return method(*args, **kwargs)
        finally:
            hushed.reset(token)

    return asked
