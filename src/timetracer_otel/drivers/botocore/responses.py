"""Recorded attempts -> what `Endpoint._send` returns or raises: objects of botocore over bytes from the cassette."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore import exceptions
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from timetracer_otel.cassette.model import Value
from timetracer_otel.errors import DamagedCassette

Refuse = Callable[[], BaseException]
"""Tells the report that more is wanted than was read; gives what the application gets."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded response."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    is_unread: bool
    """The recorded application did not read on behind `body`."""
    broken: tuple[str, str] | None
    """Type and message of what its reading failed with then."""


def answer_of(attempt: Mapping[str, Value]) -> Answer | None:
    """None for an attempt that got no response."""
    status, body = attempt.get("status"), attempt.get("body", b"")
    if not isinstance(status, int):
        return None
    content = body if isinstance(body, bytes) else str(body).encode()
    broken = attempt.get("broken")
    return Answer(
        status,
        headers=_pairs(attempt.get("headers")),
        body=content,
        is_unread=bool(attempt.get("unread")),
        broken=(str(broken.get("type")), str(broken.get("message"))) if isinstance(broken, Mapping) else None,
    )


def _pairs(headers: Value) -> list[tuple[str, str]]:
    pairs = headers if isinstance(headers, (list, tuple)) else ()
    return [(str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, (list, tuple)) and len(pair) == 2]


def error_of(attempt: Mapping[str, Value], exchange: str) -> BaseException:
    """The exception that an attempt ended with. Raises DamagedCassette when there is none."""
    error = attempt.get("error")
    if not isinstance(error, Mapping):
        raise DamagedCassette(exchange, "an attempt with neither a status nor an error")
    kind, arguments = getattr(exceptions, str(error.get("type")), None), error.get("arguments")
    if isinstance(kind, type) and issubclass(kind, exceptions.BotoCoreError) and isinstance(arguments, Mapping):
        made: BaseException = _made(kind, arguments)
        return made
    return _made(exceptions.HTTPClientError, {"error": str(error.get("message", ""))})


def _made(kind: Any, arguments: Mapping[str, Value]) -> BaseException:
    given = {str(name): value for name, value in arguments.items()}
    try:
        made: BaseException = kind(**given)
    except (KeyError, TypeError):  # another release of botocore asks for more
        made = exceptions.HTTPClientError(error=str(given.get("error", "")))
    return made


def response(request: Any, answer: Answer, refuse: Refuse) -> AWSResponse:
    """As `URLLib3Session.send` gives it: with the body read already, unless that is a stream."""
    headers: Any = list(answer.headers)  # it takes pairs too: a name may stand twice
    body = RecordedBody(answer, refuse, _broken)
    raw = HTTPResponse(
        body,
        headers=headers,
        status=answer.status,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
        request_method=request.method,
    )
    given: Any = AWSResponse(request.url, answer.status, dict_of(answer.headers), raw)
    if request.stream_output:
        return given
    if answer.is_unread:
        given.content  # noqa: B018  reading it raises what it did
    else:  # read to its end
        given._content = answer.body
        body.close()
    return given


def _broken(kind: str, message: str) -> BaseException:
    """As urllib3 says it."""
    if kind != "ReadTimeoutError":
        return ProtocolError(message)
    pool, _, reason = message.rpartition(": ")
    where: Any = pool  # it is only printed
    return ReadTimeoutError(where, None, reason)


def dict_of(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """As botocore keeps them: one value under each name, which it finds in any case."""
    return dict(headers)


END: Final = -1


class RecordedBody(io.BytesIO):
    """The recorded bytes. Whoever wants to read on where the recorded application stopped is refused."""

    def __init__(self, answer: Answer, refuse: Refuse, broken: Callable[[str, str], BaseException]) -> None:
        super().__init__(answer.body)
        self._answer, self._refuse, self._broken = answer, refuse, broken

    def read(self, size: int | None = END, /) -> bytes:
        return self._checked(super().read(size), size)

    def read1(self, size: int | None = END, /) -> bytes:
        return self._checked(super().read1(END if size is None else size), size)

    def readinto(self, buffer: Any, /) -> int:
        size = super().readinto(buffer)
        self._checked(bytes(size), len(buffer))
        return size

    def _checked(self, data: bytes, wanted: int | None) -> bytes:
        is_short = wanted is None or wanted < 0 or len(data) < wanted
        if not is_short or not self._answer.is_unread:
            return data
        if self._answer.broken is None:
            raise self._refuse()
        if not data or wanted is None or wanted < 0:  # all there is comes first, as it did
            raise self._broken(*self._answer.broken)
        return data
