"""What a command and its reply say to people: Extended JSON, without the driver's package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import Description
from timetracer_otel.drivers.pymongo.forms import command_of, readable_request, readable_result, replies_of
from timetracer_otel.drivers.pymongo.names import CONNECT, FAILURE, SELECT
from timetracer_otel.drivers.pymongo.questions import BOOKKEEPING, shown
from timetracer_otel.errors import DamagedCassette, WireError
from timetracer_otel.wire.mongo import bson
from timetracer_otel.wire.mongo.extended_json import to_text

TYPE: Final = "db.command"
BATCHES: Final = (b"firstBatch", b"nextBatch")
COUNTS: Final = (b"n", b"nModified", b"nInserted", b"nMatched", b"nUpserted", b"nDeleted")


class PymongoDescribing:
    """Implements `drivers.base.Describing`."""

    def describe(self, exchange: Exchange) -> Description | None:
        if exchange.type in (SELECT, CONNECT):
            return _unselected(exchange)
        if exchange.type != TYPE:
            return None
        try:
            parts, replies = list(bson.elements(command_of(exchange.request))), replies_of(exchange.result)
            return Description(
                text=f"{exchange.signature.url}.{exchange.signature.method}",
                values=[_value(part) for part in parts[1:] if part.name not in BOOKKEEPING],
                outcome=_outcome(exchange.result, replies),
                results=[to_text(reply) for reply in replies],
            )
        except (DamagedCassette, WireError):
            return None

    def readable(self, exchange: Exchange) -> Exchange:
        if exchange.type != TYPE:
            return exchange
        request, result = readable_request(exchange.request), readable_result(exchange.result)
        return replace(exchange, request=request, result=result)


DESCRIBING: Final = PymongoDescribing()


def _unselected(exchange: Exchange) -> Description:
    what, failure = "select a server" if exchange.type == SELECT else "connect", exchange.result.get(FAILURE)
    told = failure if isinstance(failure, Mapping) else {}
    outcome = ": ".join(str(told[name]) for name in ("type", "text") if told.get(name))
    return Description(f"{what} for {exchange.signature.method}", outcome=outcome)


def _value(part: bson.Element) -> Value:
    """`limit: 1`, as one text."""
    value = shown(part.kind, part.value)
    text = value if part.kind in (bson.DOCUMENT, bson.ARRAY) else json.dumps(value, ensure_ascii=False, default=str)
    return f"{part.text}: {text}"


def _outcome(result: Payload, replies: Sequence[bytes]) -> str:
    if not replies:
        return str(result.get("lost", "")) or ("not acknowledged" if result.get("unacknowledged") else "")
    return "; ".join(said for reply in replies for said in _said(reply))


def _said(reply: bytes) -> Iterator[str]:
    found: dict[bytes, Any] = {part.name: part for part in bson.elements(reply)}
    if b"errmsg" in found:
        code = found.get(b"codeName") or found.get(b"code")
        yield f"{shown(code.kind, code.value) if code else 'error'}: {shown(*found[b'errmsg'][::2])}"
        return
    if b"cursor" in found and found[b"cursor"].kind == bson.DOCUMENT:
        for part in bson.elements(found[b"cursor"].value):
            if part.name in BATCHES and part.kind == bson.ARRAY:
                count = sum(1 for _ in bson.elements(part.value))
                yield f"{count} document{'s' * (count != 1)}"
    yield from (f"{name.decode()}: {shown(*found[name][::2])}" for name in COUNTS if name in found)
    if b"writeErrors" in found and found[b"writeErrors"].kind == bson.ARRAY:
        yield from (f"writeErrors: {to_text(part.value)}" for part in bson.elements(found[b"writeErrors"].value))
