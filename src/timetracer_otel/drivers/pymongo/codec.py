"""Captured bytes -> an exchange, off the hot path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.pymongo import selecting
from timetracer_otel.drivers.pymongo.forms import (
    COMMAND,
    REPLIES,
    readable_request,
    readable_result,
    wire_request,
    wire_result,
)
from timetracer_otel.drivers.pymongo.housework import HOUSEWORK, is_housework
from timetracer_otel.drivers.pymongo.masking import mask
from timetracer_otel.drivers.pymongo.names import CONNECT, LIBRARY, SELECT
from timetracer_otel.drivers.pymongo.questions import PROCESS, subject
from timetracer_otel.drivers.pymongo.tracking import Received, Sent
from timetracer_otel.wire.mongo.messages import parse

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.redaction import Redactor

TYPE: Final = "db.command"
LOST, UNACKNOWLEDGED = "lost", "unacknowledged"


class PymongoCodec:
    """Implements `drivers.base.Codec`."""

    def encode(self, captured: Captured) -> Encoded:
        sent, received = captured.request, captured.result
        if isinstance(sent, selecting.Failed):
            return selecting.encoded(sent, received)
        if not isinstance(sent, Sent):
            raise TypeError(f"not a request of pymongo: {sent!r}")
        command = parse(sent.message, _decompress).document
        name, collection = subject(command)
        request: dict[str, Value] = {COMMAND: command, PROCESS: sent.process.hex()}
        if is_housework(name):
            request["op"] = HOUSEWORK
        return Encoded(
            type=TYPE,
            lib=LIBRARY,
            method=name,
            url=f"{sent.database}.{collection}" if collection else sent.database,
            request=request,
            result=_result(received),
            target=f"{sent.target}/{sent.database}",
            is_plain=True,
        )

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        """Of what is in readable form the BSON is masked, in which a value keeps its type."""
        if encoded.type in (SELECT, CONNECT):
            return selecting.masked(encoded, redactor)
        redactor, request = redactor.of_type(encoded.type), wire_request(encoded.request)
        if request is encoded.request:
            return mask(encoded, redactor)
        wire = replace(encoded, request=request, result=wire_result(encoded.result))
        masked, paths = mask(wire, redactor)
        if masked is wire:
            return encoded, ()
        request, result = readable_request(masked.request), readable_result(masked.result)
        return replace(masked, request=request, result=result), paths


CODEC: Final = PymongoCodec()


def _result(received: object) -> Payload:
    if not isinstance(received, Received):
        return {}
    result: dict[str, Value] = {}
    if received.replies:
        result[REPLIES] = [bytes(each) for each in received.replies]
    if received.lost is not None:
        result[LOST] = received.lost
    if received.is_unacknowledged:
        result[UNACKNOWLEDGED] = True
    return result


def _decompress(data: bytes, compressor: int, size: int) -> bytes:
    """By the driver, which has compressed it."""
    from pymongo import compression_support

    decompress: Any = compression_support.decompress
    try:
        return bytes(decompress(data, compressor))
    except TypeError:  # pymongo 4.20 wants to know how much may come
        return bytes(decompress(data, compressor, size))
