"""The exchange of a WebSocket with all its messages, of which most were written before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.asgi.websocket.codec import Said, messages_of

MISSING: Final = "messages"
"""Why a conversation cannot be replayed of which a piece is not there, though nothing says why."""


def whole(entry: Exchange, pieces: Iterable[Exchange]) -> Exchange:
    """With a gap it is one that was dropped, for the reason that the missing piece gives."""
    ordered = sorted(pieces, key=_first)
    if not ordered or not entry.result:
        return entry
    said = _by_number([*ordered, entry])
    if said is None:
        lost = next((each.dropped for each in ordered if each.dropped), None)
        return replace(entry, dropped=entry.dropped or lost or {"reason": MISSING, "size": 0})
    redacted = tuple(path for each in ordered for path in each.redacted)
    return replace(entry, result={**entry.result, "first": 0, "messages": said}, redacted=(*redacted, *entry.redacted))


def _first(exchange: Exchange) -> int:
    first = exchange.result.get("first", exchange.request.get("first", 0))
    return first if isinstance(first, int) else 0


def _by_number(exchanges: Iterable[Exchange]) -> list[Said] | None:
    """None if there is a gap. An entry that was cut off may hold messages that a piece has too."""
    said: list[Said] = []
    for each in exchanges:
        first = _first(each)
        if first > len(said) or not each.result:
            return None
        said += messages_of(each.result)[len(said) - first :]
    return said
