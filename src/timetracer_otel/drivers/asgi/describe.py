"""What a request and its response say to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from timetracer_otel.cassette.escaping import words
from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.asgi.websocket.codec import PIECE_TYPE
from timetracer_otel.drivers.asgi.websocket.describe import describe_piece, ending
from timetracer_otel.drivers.base import Description

HTTP: Final = "http.server"


class AsgiDescribing:
    """Its exchanges are readable as they are."""

    def describe(self, exchange: Exchange) -> Description | None:
        if exchange.type == PIECE_TYPE:
            return describe_piece(exchange)
        if exchange.type != HTTP:
            return None
        size, traceback = exchange.request.get("body_size"), _exception(exchange).get("traceback")
        return Description(
            text=_address(exchange),
            note=f"body of {words(size)} bytes" if size else "",
            outcome=_outcome(exchange),
            traceback=traceback if isinstance(traceback, str) else None,
            answered_ns=_answered_ns(exchange.result),
        )

    def readable(self, exchange: Exchange) -> Exchange:
        return exchange


DESCRIBING: Final = AsgiDescribing()


def _address(exchange: Exchange) -> str:
    query = exchange.request.get("query_string")
    question = f"?{query.decode('latin-1')}" if isinstance(query, bytes) and query else ""
    return f"{words(exchange.request.get('path', ''))}{question}"


def _outcome(exchange: Exchange) -> str:
    status, exception = exchange.result.get("status"), _exception(exchange)
    kind, message = words(exception.get("type")).removeprefix("builtins."), words(exception.get("message"))
    shown = "" if status is None else words(status)
    ended = ending(exchange.result) if exchange.request.get("type") == "websocket" else ""
    return f"{shown} {kind}: {message}".strip() if exception else f"{shown} {ended}".strip()


def _answered_ns(result: Payload) -> int | None:
    """The time of its last chunk; None if it has no end."""
    chunks = result.get("body")
    if not result.get("ended") or not isinstance(chunks, (list, tuple)) or not chunks:
        return None
    last = chunks[-1]
    at_ns = last[0] if isinstance(last, (list, tuple)) and last else None
    return at_ns if isinstance(at_ns, int) else None


def _exception(exchange: Exchange) -> Mapping[str, Value]:
    found = exchange.result.get("exception")
    return found if isinstance(found, Mapping) else {}
