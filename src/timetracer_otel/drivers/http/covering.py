"""Requests of a library that has a driver of its own, or that fetches its credentials: they are not ours to record."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import ModuleType
from typing import Any, Final

from opentelemetry import context

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.http.names import LIBRARY
from timetracer_otel.drivers.patches import Patches

covered: Final[ContextVar[bool]] = ContextVar("timetracer_http_covered", default=False)
SENDERS: Final = {"botocore.httpsession": "URLLib3Session", "aiobotocore.httpsession": "AIOHTTPSession"}
"""Modules, and the class in each whose `send` makes every request of its library."""
SUPPRESSED: Final = ("suppress_instrumentation", "suppress_instrumentation-plain")
"""Set around what an exporter sends. Not `suppress_http_instrumentation`: requests sets that for urllib3 below it."""
MORE: Final = {"aiobotocore.httpxsession": "HttpxSession"}


def is_suppressed() -> bool:
    """True for what an exporter of spans sends."""
    return any(context.get_value(key) for key in SUPPRESSED)


@guarded(LIBRARY)
def cover(patches: Patches, module: ModuleType) -> None:
    """From now on what it sends is left alone."""
    owner = getattr(module, {**SENDERS, **MORE}[module.__name__], None)
    original = vars(owner).get("send") if owner is not None else None
    if original is not None:
        is_async = module.__name__.startswith("aiobotocore")
        patches.put(owner, "send", _covering_async(original) if is_async else _covering(original))


def _covering(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def send(*args: Any, **kwargs: Any) -> Any:
        token = covered.set(True)
        try:
            return original(*args, **kwargs)
        finally:
            _leave(token)

    return send


def _covering_async(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def send(*args: Any, **kwargs: Any) -> Any:
        token = covered.set(True)
        try:
            return await original(*args, **kwargs)
        finally:
            _leave(token)

    return send


def _leave(token: Token[bool]) -> None:
    try:
        token.var.reset(token)
    except ValueError:  # a coroutine that nobody awaits any more is closed in another context, which ends with it
        return
