"""botocore in replay: everything above HTTP is real, and each attempt is answered from the cassette."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from wrapt import register_post_import_hook

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question, ReplayHost
from timetracer_otel.drivers.botocore import questions, sleeping, surroundings
from timetracer_otel.drivers.botocore.following import (
    converting,
    converting_async,
    current,
    requesting,
    requesting_async,
)
from timetracer_otel.drivers.botocore.names import LIBRARY
from timetracer_otel.drivers.botocore.uploads import Upload, upload_of
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "replay cannot answer it"
ASYNC: Final = "aiobotocore.client"


class BotocoreReplaying:
    """Implements `drivers.base.Replaying`."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._host: ReplayHost | None = None

    def install(self, host: ReplayHost) -> None:
        if self._patches:
            return
        from botocore.client import BaseClient
        from botocore.endpoint import Endpoint

        _require(BaseClient, Endpoint)
        self._host = host
        put = self._patches.put
        put(BaseClient, "_convert_to_request_dict", converting(BaseClient._convert_to_request_dict))
        put(BaseClient, "_make_request", requesting(BaseClient._make_request, self._begin, _end))
        put(Endpoint, "_send", _sending())
        surroundings.install(self._patches, host)
        sleeping.install(self._patches)
        register_post_import_hook(self._async_came, ASYNC)  # at once if it is here

    def _async_came(self, _: ModuleType) -> None:
        if not self._patches:
            return
        from aiobotocore.client import AioBaseClient
        from aiobotocore.endpoint import AioEndpoint

        _require(AioBaseClient, AioEndpoint)
        put = self._patches.put
        put(AioBaseClient, "_convert_to_request_dict", converting_async(AioBaseClient._convert_to_request_dict))
        put(AioBaseClient, "_make_request", requesting_async(AioBaseClient._make_request, self._begin, _end))
        put(AioEndpoint, "_send", _sending_async())
        surroundings.install_async(self._patches)
        sleeping.install_async(self._patches)

    def uninstall(self) -> None:
        self._patches.undo()

    def question(self, exchange: Exchange) -> Question:
        return questions.question_of(exchange)

    def _begin(self, client: Any, model: Any, params: Any) -> object:
        from timetracer_otel.drivers.botocore.asking import Asking

        if self._host is None:
            raise RuntimeError("a client of botocore outlived the replay")
        service, region = str(client.meta.service_model.service_name), str(client.meta.region_name or "")
        return Asking(self._host, service, str(model.name), region, params)


REPLAYING: Final = BotocoreReplaying()


def _require(client: Any, endpoint: Any) -> None:
    require(LIBRARY, [(client, "_convert_to_request_dict"), (client, "_make_request"), (endpoint, "_send")], LOST)


def _end(asking: Any) -> None:
    asking.end()


def _sending() -> Callable[..., Any]:
    def _send(self: Any, request: Any) -> Any:
        from timetracer_otel.drivers.botocore import responses

        asking, upload = current.get(), _upload(request)
        if upload is not None:
            _read_out(request.body, upload)
        answer = asking.answer(upload)
        if answer is None:
            raise asking.unanswered()
        return responses.response(request, answer, asking.refuse)

    return _send


def _sending_async() -> Callable[..., Any]:
    async def _send(self: Any, request: Any) -> Any:
        from timetracer_otel.drivers.botocore import async_responses

        asking, upload = current.get(), _upload(request)
        if upload is not None:
            data = request.body.read()
            upload.take(await data if inspect.isawaitable(data) else data)
            upload.take(b"")
        answer = asking.answer(upload)
        if answer is None:  # whoever gave up then does it again: by a timeout, or with the task
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)  # no answer comes before the tasks that are ready have had their turn
        return await async_responses.response(request, answer, asking.refuse)

    return _send


def _upload(request: Any) -> Upload | None:
    return upload_of(request) if hasattr(request.body, "read") else None


def _read_out(stream: Any, upload: Upload) -> None:
    """The stream stands where sending it would have left it."""
    for data in iter(functools.partial(stream.read, READ_BYTES), b""):
        upload.take(data)
    upload.take(b"")


READ_BYTES: Final = 1 << 20
