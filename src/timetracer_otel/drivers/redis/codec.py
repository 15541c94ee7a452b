"""Captured bytes -> an exchange, off the hot path."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.blobs import BINARY_MAX_BYTES
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.redis.connecting import CONNECT, DIAL, GREET, told
from timetracer_otel.drivers.redis.forms import (
    COMMANDS,
    PARTIAL,
    REPLIES,
    commands_of,
    readable_request,
    readable_result,
    replies_of,
)
from timetracer_otel.drivers.redis.housework import HOUSEWORK, is_housework
from timetracer_otel.drivers.redis.masking import mask
from timetracer_otel.drivers.redis.messages import MESSAGE
from timetracer_otel.drivers.redis.names import LIBRARY
from timetracer_otel.drivers.redis.questions import method_of, subject
from timetracer_otel.drivers.redis.tracking import Received, Sent
from timetracer_otel.wire.redis.commands import Leading, commands, pack
from timetracer_otel.wire.redis.frames import PUSH, bulks, is_push, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
        batch: Iterable[list[bytes]] = Leading(message)
        count = sent.count
        if not count:
            batch = known = commands(message)
            count = len(known)
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
            result=_result(received, count, captured, sent.op),
            target=sent.tracked.target,
            is_plain=True,
            has_binary=max(captured.size, len(message)) > BINARY_MAX_BYTES,
        )

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        """Of what is in readable form the RESP is masked."""
        wire = _as_wire(encoded)
        masked, paths = mask(wire, redactor.of_type(encoded.type))
        if masked is wire:
            return encoded, ()
        if wire is encoded:
            return masked, paths
        request, result = readable_request(masked.request), readable_result(masked.result)
        return replace(masked, request=request, result=result), paths


CODEC: Final = RedisCodec()


def _as_wire(encoded: Encoded) -> Encoded:
    """Itself if it is in wire form. Raises DamagedCassette."""
    request, result = encoded.request, encoded.result
    if COMMANDS in request and not isinstance(request[COMMANDS], bytes):
        request = {**request, COMMANDS: pack(commands_of(request))}
    if REPLIES in result and not isinstance(result[REPLIES], bytes):
        result = {**result, REPLIES: replies_of(result)}
    is_same = request is encoded.request and result is encoded.result
    return encoded if is_same else replace(encoded, request=request, result=result)


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
    if op == MESSAGE and received.lost:
        return {**result, LOST: received.lost}
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
