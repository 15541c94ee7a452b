"""Captured bytes -> an exchange, off the hot path."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.blobs import BINARY_MAX_BYTES
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.base import Encoded
from timetracer_otel.drivers.redis.connecting import CONNECT, DIAL, GREET, told
from timetracer_otel.drivers.redis.forms import COMMANDS, PARTIAL, REPLIES
from timetracer_otel.drivers.redis.housework import HOUSEWORK, is_housework
from timetracer_otel.drivers.redis.masking import mask
from timetracer_otel.drivers.redis.messages import MESSAGE
from timetracer_otel.drivers.redis.names import LIBRARY
from timetracer_otel.drivers.redis.questions import method_of, subject
from timetracer_otel.drivers.redis.tracking import Received, Sent
from timetracer_otel.wire.redis.commands import Leading, commands
from timetracer_otel.wire.redis.frames import PUSH, bulks, is_push, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from timetracer_otel.capture.table import Captured
    from timetracer_otel.redaction import Redactor

TYPE: Final = "db.command"
LOST, ERROR = "lost", "error"


class RedisCodec:
    """Implements `drivers.base.Codec`."""

    def encode(self, captured: Captured) -> Encoded:
        sent, received = captured.request, captured.result
        if not isinstance(sent, Sent):
            raise TypeError(f"not a request of redis-py: {sent!r}")
        told = sent.tracked
        request: dict[str, Value] = {"server": told.server, "database": told.database, "protocol": sent.protocol}
        if sent.op in (DIAL, GREET):
            return _connect(sent, {"op": sent.op, **request}, received)
        message = b"".join(sent.pieces)
        batch = Leading(message) if sent.count else commands(message)
        request[COMMANDS] = message
        if sent.op:
            request["op"] = sent.op
        elif all(map(is_housework, batch)):
            request["op"] = HOUSEWORK
        return Encoded(
            type=TYPE,
            lib=LIBRARY,
            method=method_of(list(islice(batch, 2)), sent.op),
            url=subject(batch),
            request=request,
            result=_result(received, sent.count or sum(1 for _ in batch), captured, sent.op),
            target=sent.tracked.target,
            is_plain=True,
            has_binary=max(captured.size, len(message)) > BINARY_MAX_BYTES,
        )

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        return mask(encoded, redactor.of_type(encoded.type))


CODEC: Final = RedisCodec()


def _connect(sent: Sent, request: Payload, received: object) -> Encoded:
    error = received.error if isinstance(received, Received) else None
    return Encoded(
        type=CONNECT,
        lib=LIBRARY,
        method=sent.op.upper(),
        url="",
        request=request,
        result={ERROR: told(error)} if error is not None else {},
        target=sent.tracked.target,
        is_plain=True,
    )


def _result(received: object, count: int, captured: Captured, op: str) -> Payload:
    if not isinstance(received, Received):
        return {}
    data = b"".join(received.chunks)
    plain = bulks(data)
    if plain is not None and plain >= count:
        return {REPLIES: data}
    frames, rest = split(data)
    replies = data[: len(data) - len(rest)]
    answers = len(frames) - (sum(map(is_push, frames)) if PUSH in replies else 0)
    result: dict[str, Value] = {REPLIES: replies}
    if op == MESSAGE or _is_confirmation(frames) or (answers >= count and not rest):
        return result  # whatever the client has said of it, the answer is whole
    if rest:
        result[PARTIAL] = rest
    if received.lost:
        result[LOST] = received.lost
        if received.error is not None:
            result[ERROR] = told(received.error)
    else:
        captured.complete = False
    return result


def _is_confirmation(frames: Sequence[bytes]) -> bool:
    """One for each topic, and in RESP3 all of them pushes."""
    return bool(frames) and frames[-1][:64].split(b"\r\n", 3)[2:3] != [] and _kind(frames[-1]).endswith(b"subscribe")


def _kind(frame: bytes) -> bytes:
    parts = frame[:64].split(b"\r\n", 3)
    return parts[2].lower() if frame[:1] in (b"*", b">") and len(parts) > 3 else b""
