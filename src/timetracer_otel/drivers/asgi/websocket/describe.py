"""What a WebSocket says to people: how many messages, and who ended it."""

from __future__ import annotations

from collections.abc import Mapping

from timetracer_otel.cassette.escaping import words
from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers.asgi.websocket.codec import messages_of
from timetracer_otel.drivers.base import Description


def describe_piece(exchange: Exchange) -> Description:
    first, count = exchange.request.get("first"), len(messages_of(exchange.result))
    return Description(text=f"messages from {words(first)} on", outcome=f"{count} messages")


def ending(result: Payload) -> str:
    """`closed with 4000 done`, `client left with 1001`; empty while neither is known."""
    close, departure = result.get("close"), result.get("departure")
    if isinstance(close, Mapping):
        return f"closed with {_code(close)}"
    if isinstance(departure, Mapping):
        return f"client left with {_code(departure)}"
    return "client left" if "refused_at" in result else ""


def _code(end: Payload) -> str:
    return f"{words(end.get('code'))} {words(end.get('reason', ''))}".strip()
