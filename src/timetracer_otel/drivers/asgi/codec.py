"""A heard request and response <-> the exchange `http.server` of the cassette."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.asgi import app_name, masking
from timetracer_otel.drivers.asgi.body import Body
from timetracer_otel.drivers.asgi.exceptions import encode_exception
from timetracer_otel.drivers.asgi.heard import HeardRequest, HeardResponse
from timetracer_otel.drivers.asgi.spilled import OPEN
from timetracer_otel.drivers.asgi.websocket import codec as websocket
from timetracer_otel.drivers.asgi.websocket.heard import HeardConversation, Piece
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor

TYPE: Final = "http.server"
LIB: Final = "asgi"


class AsgiCodec:
    """Implements `drivers.base.Codec`."""

    def encode(self, captured: Captured) -> Encoded:
        if isinstance(captured.request, int):
            return websocket.encode_piece(captured.request, cast("Piece | None", captured.result), LIB)
        heard = cast(HeardRequest, captured.request)
        result = cast("HeardResponse | HeardConversation | None", captured.result)
        request = encode_request(heard)
        method = str(request["method"]) if request["type"] == "http" else websocket.METHOD
        answer = encode_result(result) if result else {}
        _mark_loss(captured, request, answer)
        return Encoded(TYPE, LIB, method, str(request["path"]), request, answer, is_plain=True)

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        if encoded.type == websocket.PIECE_TYPE:
            return websocket.redact_piece(encoded, redactor)
        return masking.redact(encoded, redactor.of_type(encoded.type))


def _mark_loss(captured: Captured, *payloads: Payload) -> None:
    """What became of a body on its way to disk comes out here, after the tap has said that all is well."""
    lost = [payload for payload in payloads if payload.get("body_dropped")]
    if captured.dropped in (None, OPEN):
        captured.dropped = str(lost[0]["body_dropped"]) if lost else None
        captured.size = sum(cast(int, payload["body_size"]) for payload in lost) or captured.size


def encode_request(heard: HeardRequest) -> Payload:
    scope = heard.scope
    app, is_outermost = app_name.name_of(heard.apps)
    return {
        "type": str(scope["type"]),
        "method": _text(scope.get("method")),
        "scheme": _text(scope.get("scheme")) or "http",
        "http_version": _text(scope.get("http_version")) or "1.1",
        "spec_version": _text(scope.get("asgi", {}).get("spec_version")) or "2.0",
        "path": str(scope["path"]),
        "raw_path": _bytes(scope.get("raw_path")),
        "query_string": _bytes(scope.get("query_string")) or b"",
        "root_path": _root_path(scope, is_outermost),
        "headers": _pairs(heard.headers),
        "client": _address(scope.get("client")),
        "server": _address(scope.get("server")),
        **({"extensions": [str(name) for name in scope["extensions"]]} if scope.get("extensions") else {}),
        **(_body(heard.body) if scope["type"] == "http" else websocket.encode_scope(scope)),
        "app": app,
    }


def encode_result(heard: HeardResponse | HeardConversation) -> Payload:
    if isinstance(heard, HeardConversation):
        return {**encode_response(heard.response), **websocket.encode_conversation(heard)}
    return encode_response(heard)


def encode_response(heard: HeardResponse) -> Payload:
    encoded: dict[str, Value] = {"status": heard.status, "headers": _pairs(heard.headers), **_body(heard.body)}
    if heard.trailers:
        encoded["trailers"] = _pairs(heard.trailers)
    if heard.disconnected_ns is not None:
        encoded["disconnected_ns"] = heard.disconnected_ns
        if heard.left_before_start and heard.status is not None:
            encoded["left_before_start"] = True
        if heard.left_before_end and heard.body.ended:
            encoded["left_before_end"] = True
    if heard.send_failed:
        encoded["send_failed"] = True
    if heard.exception is not None:
        encoded["exception"] = encode_exception(heard.exception)
    return encoded


def _body(body: Body) -> dict[str, Value]:
    slices, lost = body.slices()
    encoded: dict[str, Value] = {
        "body": [[at, chunk] for at, chunk in slices],
        "body_size": body.size,
        "ended": body.ended,
    }
    if lost is not None:
        encoded["body_dropped"] = lost
    elif body.is_merged:
        encoded["body_chunks"] = body.heard
    return encoded


def _root_path(scope: Mapping[str, Any], is_outermost: bool) -> str:
    """If a router stands above the tap, the outermost app wants the root path that the router was given."""
    outer = scope.get("app_root_path") if is_outermost else None
    return str(scope.get("root_path") or "") if outer is None else str(outer)


def _pairs(headers: Sequence[Any]) -> list[Value]:
    return [[bytes(name), bytes(value)] for name, value in headers]


def _address(address: Any) -> Value:
    return None if address is None else [part if isinstance(part, int) else str(part or "") for part in address]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


CODEC: Final = AsgiCodec()
