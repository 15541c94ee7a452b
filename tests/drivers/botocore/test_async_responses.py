"""What an application on aiobotocore reads of a recorded response, by each of aiohttp's ways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import ClientPayloadError, StreamReader

from timetracer_otel.drivers.botocore.async_responses import response
from timetracer_otel.drivers.botocore.exceptions import UnreadBodyError
from timetracer_otel.drivers.botocore.responses import Answer

READ = b"read\nno end"
REQUEST = SimpleNamespace(url="http://127.0.0.1/k", stream_output=True)
Read = Callable[[StreamReader], Awaitable[object]]


async def _iterated(iterator: Any) -> list[Any]:
    return [each async for each in iterator]


async def _at_once(content: StreamReader) -> list[bytes]:
    return [content.read_nowait(), content.read_nowait()]


async def _twice(read: Callable[[], Awaitable[object]]) -> list[object]:
    return [await read(), await read()]


WAYS: dict[str, Read] = {
    "read": lambda content: content.read(),
    "read, of a size": lambda content: _twice(lambda: content.read(99)),
    "readany": lambda content: _twice(content.readany),
    "readchunk": lambda content: _twice(content.readchunk),
    "readexactly": lambda content: content.readexactly(99),
    "readline": lambda content: _twice(content.readline),
    "readuntil": lambda content: content.readuntil(b"nothing"),
    "read_nowait": _at_once,
    "lines": _iterated,
    "iter_any": lambda content: _iterated(content.iter_any()),
    "iter_chunked": lambda content: _iterated(content.iter_chunked(3)),
    "iter_chunks": lambda content: _iterated(content.iter_chunks()),
}


def _read(way: str, broken: tuple[str, str] | None = None) -> object:
    async def read() -> object:
        answer = Answer(200, (), READ, is_unread=True, broken=broken)
        given: Any = await response(REQUEST, answer, lambda: UnreadBodyError(reason="not read"))
        return await WAYS[way](given.raw.content)

    return asyncio.run(read())


@pytest.mark.parametrize("way", WAYS)
def test_r10_whoever_reads_on_where_the_recorded_application_stopped_is_refused(way: str) -> None:
    with pytest.raises(UnreadBodyError):
        _read(way)


@pytest.mark.parametrize("way", WAYS)
def test_a_body_that_broke_breaks_by_whichever_way_it_is_read(way: str) -> None:
    with pytest.raises(ClientPayloadError, match="not all"):
        _read(way, ("ClientPayloadError", "not all"))


def test_a_read_that_gave_less_than_was_asked_for_gives_it_again() -> None:
    async def read() -> object:
        given: Any = await response(REQUEST, Answer(200, (), READ, True, None), lambda: UnreadBodyError(reason=""))
        content = cast("StreamReader", given.raw.content)
        return [await content.read(1 << 20), content.at_eof()]

    assert asyncio.run(read()) == [READ, False]
