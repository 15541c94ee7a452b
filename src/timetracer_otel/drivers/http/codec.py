"""A request and its response -> an exchange, off the hot path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.blobs import BINARY_MAX_BYTES
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.http import masking
from timetracer_otel.drivers.http.calls import Call
from timetracer_otel.drivers.http.framing import response_of
from timetracer_otel.drivers.http.names import CALL, CONNECT, LIBRARY
from timetracer_otel.drivers.http.requests import connect_request, host_text, origin_text, path_text, request_of_call

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.redaction import Redactor


class HttpCodec:
    """Implements `drivers.base.Codec`."""

    def encode(self, captured: Captured) -> Encoded:
        call = captured.request
        if not isinstance(call, Call):
            raise TypeError(f"not a request: {call!r}")
        asked = connect_request(call.client, call.origin) if call.connect else request_of_call(call)
        result: Payload = _result(call, str(asked.get("method", ""))) if captured.result is call else {}
        return Encoded(
            type=CONNECT if call.connect else CALL,
            lib=LIBRARY,
            method="connect" if call.connect else str(asked["method"]),
            url=host_text(asked) + path_text(asked),
            request=asked,
            result=result,
            target=origin_text(asked),
            is_plain=True,
            has_binary=captured.size > BINARY_MAX_BYTES,
        )

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        return masking.mask(encoded, redactor.of_type(encoded.type))


CODEC: Final = HttpCodec()


def _result(call: Call, method: str) -> Payload:
    parts = list(call.parts)
    error: dict[str, Value] = {} if call.error is None else {"error": list(call.error)}
    if call.answer is None:
        return {**_of_wire(call, parts, method), **error}
    head = call.answer
    return {
        "version": head.version.decode("latin-1"),
        "status": head.status,
        "reason": head.reason,
        "headers": [[name, value] for name, value in head.headers],
        "body": parts,
        **_end(call, is_complete=call.is_ended),
        **error,
    }


def _of_wire(call: Call, reads: list[bytes], method: str) -> dict[str, Value]:
    if not reads and call.error is not None:
        return {}
    found = response_of(reads, method.encode("latin-1")) if reads else None
    if found is None:
        return {"reads": reads, **_end(call, is_complete=False)}
    return {
        "version": found.version.decode("latin-1"),
        "status": found.status,
        "reason": found.reason,
        "headers": [[name, value] for name, value in found.headers],
        "body": list(found.pieces),
        **({} if found.chunks is None else {"chunks": list(found.chunks)}),
        **_end(call, found.is_complete),
    }


def _end(call: Call, is_complete: bool) -> dict[str, Value]:
    ended = _ended(call, is_complete)
    return {"ended": ended, **({"given_up": True} if ended == "client" and call.is_waiting else {})}


def _ended(call: Call, is_complete: bool) -> str:
    """`complete`: by its own word; `server`: the connection ended; `client`: it was not read on."""
    if is_complete:
        return "complete"
    if call.error is not None:
        return "error"
    return "server" if call.is_ended else "client"
