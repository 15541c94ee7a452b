"""Where one API call begins and ends, with all its attempts: wrappers of botocore's methods, for recording and replay.

`_make_request` runs inside OpenTelemetry's span, in the caller's thread or task, once per call. The parameters are
known a moment before, to `_convert_to_request_dict`, which a presigned URL goes through as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, Final, TypeAlias

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.botocore.names import LIBRARY

Begin: TypeAlias = Callable[[Any, Any, Any], object]
"""Called with client, operation model and parameters; gives whatever is current until the call has ended."""
End: TypeAlias = Callable[[Any], object]

current: Final[ContextVar[Any]] = ContextVar("timetracer_aws_call", default=None)
"""What `Begin` gave, for the attempts. Any: recording and replay follow calls with objects of their own."""
housekeeping: Final[ContextVar[bool]] = ContextVar("timetracer_aws_housekeeping", default=False)
"""True while the library fetches credentials: that is no call of the application's, and replay needs none."""
_converted: Final[ContextVar[tuple[object, Any] | None]] = ContextVar("timetracer_aws_parameters", default=None)


def converting(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _convert_to_request_dict(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = original(self, *args, **kwargs)
        _remember(request, args, kwargs)
        return request

    return _convert_to_request_dict


def converting_async(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def _convert_to_request_dict(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = await original(self, *args, **kwargs)
        _remember(request, args, kwargs)
        return request

    return _convert_to_request_dict


def requesting(original: Callable[..., Any], begin: Begin, end: End) -> Callable[..., Any]:
    @functools.wraps(original)
    def _make_request(self: Any, operation_model: Any, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        call = begin(self, operation_model, _taken(request_dict))
        token = current.set(call)
        try:
            return original(self, operation_model, request_dict, *args, **kwargs)
        finally:
            _leave(token)
            end(call)

    return _make_request


def requesting_async(original: Callable[..., Any], begin: Begin, end: End) -> Callable[..., Any]:
    @functools.wraps(original)
    async def _make_request(self: Any, operation_model: Any, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        call = begin(self, operation_model, _taken(request_dict))
        token = current.set(call)
        try:
            return await original(self, operation_model, request_dict, *args, **kwargs)
        finally:
            _leave(token)
            end(call)

    return _make_request


def refreshing(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _protected_refresh(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = housekeeping.set(True)
        try:
            return original(self, *args, **kwargs)
        finally:
            _leave(token)

    return _protected_refresh


def refreshing_async(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def _protected_refresh(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = housekeeping.set(True)
        try:
            return await original(self, *args, **kwargs)
        finally:
            _leave(token)

    return _protected_refresh


@guarded(LIBRARY)
def _remember(request: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _converted.set((request, kwargs["api_params"] if "api_params" in kwargs else args[0]))


def _taken(request: object) -> Any:
    """The parameters of this request; none where it was made in another way."""
    remembered = _converted.get()
    if remembered is None or remembered[0] is not request:
        return {}
    _converted.set(None)
    return remembered[1]


def _leave(token: Token[Any]) -> None:
    try:
        token.var.reset(token)
    except ValueError:  # a coroutine that nobody awaits any more is closed in another context, which ends with it
        return
