"""A call and its attempts -> an exchange, off the hot path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.cassette.blobs import BINARY_MAX_BYTES
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.cassette.recent import Recent
from timetracer_otel.drivers.botocore import masking, parameters
from timetracer_otel.drivers.botocore.calls import Attempt, Call
from timetracer_otel.drivers.botocore.downloads import Heard
from timetracer_otel.drivers.botocore.names import CALL, GIVEN_UP, LIBRARY
from timetracer_otel.drivers.botocore.parameters import plain
from timetracer_otel.drivers.botocore.requests import request
from timetracer_otel.drivers.botocore.uploads import Upload
from timetracer_otel.drivers.encoded import Encoded

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.redaction import Redactor


class BotocoreCodec:
    """Implements `drivers.base.Codec`."""

    def encode(self, captured: Captured) -> Encoded:
        call = captured.request
        if not isinstance(call, Call):
            raise TypeError(f"not a call of botocore: {call!r}")
        client = call.client
        is_plain = parameters.is_plain(call.params)
        asked = request(client.service, call.operation, client.region, call.params, _upload(call), is_plain)
        has_answer = captured.result is call
        result: Payload = {"attempts": [_attempt(each) for each in call.attempts]} if has_answer else {}
        return Encoded(
            type=CALL,
            lib=LIBRARY,
            method=call.operation,
            url=client.service,
            request=asked,
            result=result,
            target=client.endpoint,
            has_binary=captured.size > BINARY_MAX_BYTES,
            is_plain=(is_plain or parameters.is_plain(asked["params"])) and not any(map(_has_failed, call.attempts)),
        )

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        return masking.mask(encoded, redactor.of_type(encoded.type))


CODEC: Final = BotocoreCodec()
_LARGE: Final[Recent[bytes]] = Recent()


def _has_failed(attempt: Attempt) -> bool:
    return attempt.error is not None


def _upload(call: Call) -> Upload | None:
    """The sending that came to its end; else the last one, which the service did not want to hear out."""
    uploads = [attempt.upload for attempt in call.attempts if attempt.upload is not None]
    return next((each for each in uploads if each.is_ended), uploads[-1] if uploads else None)


def _attempt(attempt: Attempt) -> Payload:
    if attempt.error is not None and attempt.status is None:
        return {"error": _error(attempt.error)}
    if attempt.status is None:
        return {GIVEN_UP: True} if attempt.is_given_up else {}
    headers: list[Value] = [[name, value] for name, value in attempt.headers]
    answer: dict[str, Value] = {"status": attempt.status, "headers": headers}
    if isinstance(attempt.body, bytes):
        answer["body"] = attempt.body
    else:
        answer |= _read(attempt.body)
    return answer


def _read(body: Heard) -> dict[str, Value]:
    read: dict[str, Value] = {"body": _same(b"".join(body.chunks))}
    if not body.is_ended:
        read["unread"] = True
    if body.broken is not None:
        read["broken"] = {"type": type(body.broken).__name__, "message": str(body.broken)}
    return read


def _same(data: bytes) -> bytes:
    """The object that stood for equal data before: whoever compares it after us, redaction and the store, then need
    not read a megabyte again."""
    if len(data) <= BINARY_MAX_BYTES:
        return data
    known = _LARGE.get(data)
    if known is None:
        _LARGE.put(data, data)
    return known or data


def _error(error: BaseException) -> Payload:
    """By name and arguments, as botocore's own exceptions are made; nothing else of it is kept."""
    arguments: dict[str, Any] = getattr(error, "kwargs", None) or {}
    return {
        "type": type(error).__name__,
        "message": str(error),
        "arguments": {str(name): plain(value) for name, value in arguments.items() if name != "request"},
    }
