"""Two recorded requests, field by field: for `diff`. A replay needs none of it, since it sends what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.asgi.bodies import Deviation
from timetracer_otel.drivers.asgi.compare import headers_and_body
from timetracer_otel.drivers.asgi.noise import MINTED, MINTED_REASON, REDACTED, Allowance
from timetracer_otel.drivers.asgi.websocket.compare import compare_messages, numbered
from timetracer_otel.drivers.base import Comparison, Difference, Ignored

LINE: Final = ("type", "method", "path", "query_string")
ON_THE_WAY: Final = frozenset({
    "host", "user-agent", "connection", "via", "forwarded", "x-real-ip",
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
})  # fmt: skip
"""Request headers, in lower case."""
ON_THE_WAY_REASON: Final = "says who asked and by which way, not what for"
HEADERS: Final = "headers."


def compare_requests(a: Exchange, b: Exchange) -> Comparison:
    """What was asked otherwise. Markers are left to the caller, who knows whether one process made them."""
    asked = (*_line(a.request, b.request), *_rest(a.request, b.request), *_said(a.result, b.result))
    found = [_reasoned(each) for each in asked]
    excused = [(each.path, each.excuse) for each in found if each.excuse is not None]
    return Comparison(
        tuple(Difference(each.path, each.recorded, each.replayed) for each in found if each.excuse is None),
        tuple(Ignored(path, reason) for path, reason in excused),
    )


def _line(a: Payload, b: Payload) -> Iterator[Deviation]:
    for name in LINE:
        was, now = _text(a.get(name)), _text(b.get(name))
        if was != now:
            yield Deviation(name, was, now)


def _rest(a: Payload, b: Payload) -> Iterator[Deviation]:
    """Nothing where a request was not kept."""
    return headers_and_body(a, b, Allowance()) if a and b else iter(())


def _said(a: Payload, b: Payload) -> Iterator[Deviation]:
    """What the clients of two WebSockets said."""
    return compare_messages(numbered(a, "client"), numbered(b, "client"), Allowance())


def _text(value: Value) -> Value:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _reasoned(each: Deviation) -> Deviation:
    """A trace header that came once, or a proxy that was passed once, does not make another request."""
    name = each.path.removeprefix(HEADERS).partition("[")[0] if each.path.startswith(HEADERS) else ""
    reason = MINTED_REASON if name in MINTED else ON_THE_WAY_REASON if name in ON_THE_WAY else each.excuse
    reason = None if reason == REDACTED else reason
    return Deviation(each.path, each.recorded, each.replayed, reason)
