"""What an application on aiobotocore reads of a response: aiohttp's, or httpx's where that is the backend."""

from __future__ import annotations

from asyncio import IncompleteReadError
from typing import Any

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.botocore.downloads import Heard, tapped
from timetracer_otel.drivers.botocore.names import LIBRARY
from timetracer_otel.drivers.botocore.proxy import ObjectProxy


def tap(raw: Any, heard: Heard) -> None:
    """From now on `heard` hears what is read of `raw`."""
    if hasattr(raw, "aiter_raw"):
        raw._timetracer = heard
        raw.__class__ = tapped(raw.__class__, _Tapped)
    else:
        raw.content = TappedContent(raw.content, heard)


class TappedContent(ObjectProxy):
    """aiohttp's StreamReader, whose own methods cannot be replaced: each way to read it is heard here.

    What iterates is the reader's own code, with this in its place: it reads by the methods below.
    """

    def __init__(self, reader: Any, heard: Heard) -> None:
        super().__init__(reader)
        self._self_heard = heard

    def __aiter__(self) -> Any:
        return type(self.__wrapped__).__aiter__(self)

    def iter_any(self) -> Any:
        return type(self.__wrapped__).iter_any(self)

    def iter_chunked(self, n: int) -> Any:
        return type(self.__wrapped__).iter_chunked(self, n)

    def iter_chunks(self) -> Any:
        return type(self.__wrapped__).iter_chunks(self)

    async def read(self, n: int = -1) -> Any:
        return await self._noting(self.__wrapped__.read(n))

    async def readany(self) -> Any:
        return await self._noting(self.__wrapped__.readany())

    async def readchunk(self) -> Any:
        return await self._noting(self.__wrapped__.readchunk())

    async def readexactly(self, n: int) -> Any:
        return await self._noting(self.__wrapped__.readexactly(n))

    async def readline(self, **kwargs: Any) -> Any:
        return await self._noting(self.__wrapped__.readline(**kwargs))

    async def readuntil(self, *args: Any, **kwargs: Any) -> Any:
        return await self._noting(self.__wrapped__.readuntil(*args, **kwargs))

    def read_nowait(self, n: int = -1) -> Any:
        data = self.__wrapped__.read_nowait(n)
        _read(self._self_heard, data, self.__wrapped__)
        return data

    async def _noting(self, reading: Any) -> Any:
        try:
            data = await reading
        except IncompleteReadError as error:  # the stream has ended as it should, before the caller's wish was met
            _read(self._self_heard, error.partial, self.__wrapped__)
            raise
        except Exception as error:
            _failed(self._self_heard, error)
            raise
        _read(self._self_heard, data[0] if isinstance(data, tuple) else data, self.__wrapped__)
        return data


class _Tapped:
    """Mixed into httpx.Response. `_timetracer` is its `Heard`."""

    __slots__ = ()
    _timetracer: Heard

    async def aiter_raw(self, *args: Any, **kwargs: Any) -> Any:
        async for data in super().aiter_raw(*args, **kwargs):  # type: ignore[misc]  # of what it is mixed into
            _took(self._timetracer, data, False)
            yield data
        _took(self._timetracer, b"", True)


@guarded(LIBRARY)
def _read(heard: Heard, data: bytes, reader: Any) -> None:
    heard.take(data, is_last=reader.at_eof())


@guarded(LIBRARY)
def _took(heard: Heard, data: bytes, is_last: bool) -> None:
    heard.take(data, is_last)


@guarded(LIBRARY)
def _failed(heard: Heard, error: BaseException) -> None:
    heard.fail(error)
