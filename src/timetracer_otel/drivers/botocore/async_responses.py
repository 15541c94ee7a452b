"""Recorded attempts -> what `AioEndpoint._send` returns: aiobotocore's own response, over bytes from the cassette."""

from __future__ import annotations

import asyncio
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from aiohttp import StreamReader, client_exceptions
from aiohttp.base_protocol import BaseProtocol

from timetracer_otel.drivers.botocore.responses import Answer, RecordedBody, Refuse, dict_of


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
    """A StreamReader that has all of it, and refuses what the recorded application did not read."""

    __slots__ = ("_recorded",)

    def __init__(self, answer: Answer, refuse: Refuse) -> None:
        loop = asyncio.get_running_loop()
        # Above its limit it would pause a connection that there is none of.
        super().__init__(BaseProtocol(loop), max(2**16, len(answer.body)), loop=loop)
        self._recorded = RecordedBody(answer, refuse, _broken)
        self.feed_data(answer.body)
        self.feed_eof()

    async def read(self, n: int = -1) -> bytes:
        self._recorded.read(n)  # it raises where nothing is left to be read
        return await super().read(n)


def _broken(kind: str, message: str) -> BaseException:
    """As aiohttp says it."""
    if "Timeout" in kind:
        return asyncio.TimeoutError(message)
    found: Any = getattr(client_exceptions, kind, client_exceptions.ClientPayloadError)
    made: BaseException = found(message)
    return made
