"""A heard conversation <-> its exchange `http.server`, and the exchanges `http.messages` that continue it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias, cast

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.asgi.websocket.heard import HeardConversation, Piece
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor

PIECE_TYPE: Final = "http.messages"
METHOD: Final = "WEBSOCKET"

Said: TypeAlias = "Sequence[Any]"
"""`[nanoseconds since the start, "client" or "app", text or bytes]`."""


def encode_scope(scope: Mapping[str, Any]) -> dict[str, Value]:
    """What the request of a WebSocket has beside the fields of any request."""
    return {"subprotocols": [str(each) for each in scope.get("subprotocols") or ()]}


def encode_conversation(heard: HeardConversation) -> dict[str, Value]:
    """What the result has beside the fields of any response."""
    encoded: dict[str, Value] = {"subprotocol": heard.subprotocol, **_messages(heard.piece)}
    if heard.close is not None:
        encoded["close"] = {"code": heard.close[0], "reason": heard.close[1]}
    if heard.departure is not None:
        after, code, reason = heard.departure
        encoded["departure"] = {"after": after, "code": code, "reason": reason}
    if heard.refused_at is not None:
        encoded["refused_at"] = heard.refused_at
    return encoded


def encode_piece(first: int, piece: Piece | None, lib: str) -> Encoded:
    result = {} if piece is None or piece.dropped else _messages(piece)
    return Encoded(PIECE_TYPE, lib, METHOD, f"from {first}", {"first": first}, result, is_plain=True)


def _messages(piece: Piece) -> dict[str, Value]:
    # The conversation may be going on in another thread.
    return {"first": piece.first, "messages": [list(each) for each in list(piece.messages)]}


def redact_piece(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
    result, paths = redact_messages(encoded.result, redactor)
    return (replace(encoded, result=result), paths) if paths else (encoded, ())


def redact_messages(result: Payload, redactor: Redactor) -> tuple[Payload, tuple[str, ...]]:
    """The conversation with secrets masked: each message as a body of its own."""
    said = messages_of(result)
    if not said:
        return result, ()
    first = cast(int, result.get("first", 0))
    masked = [_redacted(each, f"result.messages[{number}]", redactor) for number, each in enumerate(said, first)]
    paths = tuple(path for _, found in masked for path in found)
    return ({**result, "messages": [each for each, _ in masked]}, paths) if paths else (result, ())


def redact_ends(result: Payload, redactor: Redactor) -> tuple[Payload, tuple[str, ...]]:
    """The same with secrets masked in what either side gave as its reason to close."""
    paths: tuple[str, ...] = ()
    for name in ("close", "departure"):
        end = result.get(name)
        reason = end.get("reason") if isinstance(end, dict) else None
        if isinstance(end, dict) and isinstance(reason, str) and (masked := redactor.text(reason)) != reason:
            result, paths = {**result, name: {**end, "reason": masked}}, (*paths, f"result.{name}.reason")
    return result, paths


def _redacted(message: Said, path: str, redactor: Redactor) -> tuple[list[Value], tuple[str, ...]]:
    at_ns, side, data = message
    if isinstance(data, str):
        new, paths = redactor.body(data.encode("utf-8", "surrogatepass"), "text/plain", "", path)
        return [at_ns, side, new.decode("utf-8", "surrogatepass") if paths else data], paths
    new, paths = redactor.body(data, "application/octet-stream", "", path)
    return [at_ns, side, new], paths


def messages_of(result: Payload) -> Sequence[Said]:
    """Nothing where a stranger's recording has something else."""
    said = result.get("messages")
    return cast("Sequence[Said]", said) if isinstance(said, (list, tuple)) else ()


def is_conversation(request: Payload) -> bool:
    return request.get("type") == "websocket"
