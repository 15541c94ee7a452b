"""The taps: `_make_request` tells which call it is, `_send` sees each attempt. aiobotocore's go in with its import."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from wrapt import register_post_import_hook

from timetracer_otel.capture import generated
from timetracer_otel.capture.guard import guarded
from timetracer_otel.config import Settings
from timetracer_otel.drivers.botocore import async_downloads, downloads, hooks
from timetracer_otel.drivers.botocore.following import (
    converting,
    converting_async,
    current,
    refreshing,
    refreshing_async,
    requesting,
    requesting_async,
)
from timetracer_otel.drivers.botocore.names import LIBRARY
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "AWS calls are not recorded"
ASYNC: Final = "aiobotocore.client"


class BotocoreRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._async = Patches()
        self._is_in = False

    def install(self) -> None:
        if self._is_in:
            return
        from botocore.client import BaseClient
        from botocore.credentials import RefreshableCredentials
        from botocore.endpoint import Endpoint

        _require(BaseClient, Endpoint, RefreshableCredentials)
        hooks.payload_max_bytes = Settings.from_environment().payload_max_bytes
        put = self._patches.put
        put(BaseClient, "_convert_to_request_dict", converting(BaseClient._convert_to_request_dict))
        put(BaseClient, "_make_request", requesting(BaseClient._make_request, hooks.begin, hooks.end))
        put(Endpoint, "_send", sending(Endpoint._send))
        put(RefreshableCredentials, "_protected_refresh", refreshing(RefreshableCredentials._protected_refresh))
        numbering = getattr(getattr(Endpoint, "_update_retries_context", None), "__code__", None)
        if numbering is not None:  # the id of a call, for a header that is not recorded
            generated.unseen.add(numbering)
        self._is_in = True
        register_post_import_hook(self._async_came, ASYNC)  # at once if it is here

    @guarded(LIBRARY)
    def _async_came(self, _: ModuleType) -> None:
        if not self._is_in or self._async:
            return
        from aiobotocore.client import AioBaseClient
        from aiobotocore.credentials import AioRefreshableCredentials
        from aiobotocore.endpoint import AioEndpoint

        _require(AioBaseClient, AioEndpoint, AioRefreshableCredentials)
        put = self._async.put
        put(AioBaseClient, "_convert_to_request_dict", converting_async(AioBaseClient._convert_to_request_dict))
        put(AioBaseClient, "_make_request", requesting_async(AioBaseClient._make_request, hooks.begin, hooks.end))
        put(AioEndpoint, "_send", sending_async(AioEndpoint._send))
        refresh = AioRefreshableCredentials._protected_refresh
        put(AioRefreshableCredentials, "_protected_refresh", refreshing_async(refresh))

    def uninstall(self) -> None:
        self._async.undo()
        self._patches.undo()
        self._is_in = False


def _require(client: Any, endpoint: Any, credentials: Any) -> None:
    names = [(client, "_convert_to_request_dict"), (client, "_make_request"), (endpoint, "_send")]
    require(LIBRARY, [*names, (credentials, "_protected_refresh")], LOST)


def sending(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _send(self: Any, request: Any) -> Any:
        call = current.get()
        attempt = hooks.sending(call, request)
        try:
            response = original(self, request)
        except BaseException as error:
            hooks.failed(attempt, error)
            raise
        finally:
            hooks.sent(request, attempt)
        hooks.answered(call, attempt, request, response, downloads.tap)
        return response

    return _send


def sending_async(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def _send(self: Any, request: Any) -> Any:
        call = current.get()
        attempt = hooks.sending(call, request)
        try:
            response = await original(self, request)
        except BaseException as error:
            hooks.failed(attempt, error)
            raise
        finally:
            hooks.sent(request, attempt)
        hooks.answered(call, attempt, request, response, async_downloads.tap)
        return response

    return _send


RECORDING: Final = BotocoreRecording()
