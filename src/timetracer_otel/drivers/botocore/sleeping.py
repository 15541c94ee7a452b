"""In replay nobody waits: retries, waiters and rate limits go on at once, since what they wait for was recorded."""

from __future__ import annotations

import asyncio
import functools
from types import ModuleType
from typing import Any

from timetracer_otel.drivers.patches import Patches


def install(patches: Patches) -> None:
    import botocore.endpoint
    import botocore.response
    import botocore.waiter
    from botocore.retries import bucket, standard

    for module in (botocore.endpoint, botocore.waiter):
        patches.put(module, "time", _Instant(module.time))
    if hasattr(botocore.response, "set_socket_timeout"):
        patches.put(botocore.response, "set_socket_timeout", _no_socket)
    patches.put(bucket.TokenBucket, "acquire", _acquire)
    patches.put(standard.RetryHandler, "__init__", _without_sleep(standard.RetryHandler.__init__, _sleep))


def install_async(patches: Patches) -> None:
    from aiobotocore import endpoint, waiter

    for module, name in ((endpoint, "AioEndpoint"), (waiter, "AIOWaiter")):
        owner = getattr(module, name, None)
        if owner is not None and "_sleep" in vars(owner):
            patches.put(owner, "_sleep", _sleep_method)
        else:  # older than 3.0
            patches.put(module, "asyncio", _InstantLoop(asyncio))
    _install_async_retries(patches)


def _install_async_retries(patches: Patches) -> None:
    try:
        from aiobotocore.retries import bucket, standard
    except ImportError:  # it has none of its own before 2.0
        return
    patches.put(bucket.AsyncTokenBucket, "acquire", _acquire_async)
    handler = getattr(standard, "AioRetryHandler", None)
    if handler is not None and "__init__" in vars(handler):
        patches.put(handler, "__init__", _without_sleep(handler.__init__, _sleep_async))


def _no_socket(http_response: object, timeout: object) -> None:
    """`StreamingBody.set_socket_timeout`: a recorded body comes from no socket."""


class _Instant(ModuleType):
    """`time`, whose sleep returns at once."""

    def __init__(self, module: Any) -> None:
        super().__init__(module.__name__)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    sleep: Any = staticmethod(lambda seconds: None)


class _InstantLoop(_Instant):
    """`asyncio`, whose sleep lets others run and returns."""

    sleep: Any = staticmethod(lambda seconds, *args: asyncio.sleep(0, *args))


def _sleep(seconds: float) -> None:
    """As long as it takes in replay."""


async def _sleep_async(seconds: float) -> None:
    """Lets others run."""
    await asyncio.sleep(0)


async def _sleep_method(self: Any, seconds: float) -> None:
    """Lets others run."""
    await asyncio.sleep(0)


def _acquire(self: Any, amount: float = 1, block: bool = True) -> bool:
    return True


async def _acquire_async(self: Any, amount: float = 1, block: bool = True) -> bool:
    return True


def _without_sleep(original: Any, sleep: Any) -> Any:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if hasattr(self, "_sleep"):
            self._sleep = sleep

    return __init__
