"""Recorded attempts -> what `AioEndpoint._send` returns: aiobotocore's own response, over bytes from the cassette."""

from __future__ import annotations

import asyncio
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from aiohttp import StreamReader, client_exceptions
from aiohttp.base_protocol import BaseProtocol

from timetracer_otel.drivers.botocore.responses import Answer, Refuse, dict_of


async def response(request: Any, answer: Answer, refuse: Refuse) -> AioAWSResponse:
    """As `AIOHTTPSession.send` gives it: with the body read already, unless that is a stream."""
    raw = RecordedResponse(str(request.url), answer, refuse)
    given: Any = AioAWSResponse(request.url, answer.status, dict_of(answer.headers), raw)
    if not request.stream_output:
        await given.content
    return given


class RecordedResponse:
    """What aiobotocore and its users need of aiohttp's ClientResponse."""

    def __init__(self, url: str, answer: Answer, refuse: Refuse) -> None:
        self.url, self.status, self.headers = url, answer.status, dict_of(answer.headers)
        self.content = RecordedContent(answer, refuse)
        self.closed = False

    async def read(self) -> bytes:
        return await self.content.read()

    def close(self) -> None:
        self.closed = True

    def release(self) -> None:
        self.closed = True

    async def __aenter__(self) -> RecordedResponse:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class RecordedContent(StreamReader):
    """A StreamReader that has all of it, and refuses what the recorded application did not read.

    A read may give less than was asked for, as it may where bytes arrive: the end is where there is nothing to give.
    """

    __slots__ = ("_answer", "_refuse")

    def __init__(self, answer: Answer, refuse: Refuse) -> None:
        loop = asyncio.get_running_loop()
        # Above its limit it would pause a connection that there is none of.
        super().__init__(BaseProtocol(loop), max(2**16, len(answer.body)), loop=loop)
        self._answer, self._refuse = answer, refuse
        self.feed_data(answer.body)
        self.feed_eof()

    def at_eof(self) -> bool:
        return super().at_eof() and not self._answer.is_unread

    async def read(self, n: int = -1) -> bytes:
        if n > 0:  # all of it is read by `readany`
            self._refuse_the_end()
        return await super().read(n)

    async def readany(self) -> bytes:
        self._refuse_the_end()
        return await super().readany()

    async def readchunk(self) -> tuple[bytes, bool]:
        self._refuse_the_end()
        return await super().readchunk()

    async def readuntil(self, separator: bytes = b"\n", **kwargs: Any) -> bytes:
        self._refuse_the_end()
        line = await super().readuntil(separator, **kwargs)
        if not line.endswith(separator):
            self._refuse_the_end()
        return line

    def read_nowait(self, n: int = -1) -> bytes:
        self._refuse_the_end()
        return super().read_nowait(n)

    def _refuse_the_end(self) -> None:
        if self._answer.is_unread and super().at_eof():
            raise self._refuse() if self._answer.broken is None else _broken(*self._answer.broken)


def _broken(kind: str, message: str) -> BaseException:
    """As aiohttp says it."""
    if "Timeout" in kind:
        return asyncio.TimeoutError(message)
    found: Any = getattr(client_exceptions, kind, client_exceptions.ClientPayloadError)
    made: BaseException = found(message)
    return made
