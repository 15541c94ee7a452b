"""What a request and its response say to people."""

from __future__ import annotations

from typing import Final

from timetracer_otel.cassette.escaping import words
from timetracer_otel.cassette.model import Blob, Exchange, Value
from timetracer_otel.drivers.base import Description
from timetracer_otel.drivers.http.errors import innermost
from timetracer_otel.drivers.http.names import CALL, CONNECT, LIBRARY
from timetracer_otel.drivers.http.requests import host_text, path_text


class HttpDescribing:
    """Its exchanges are readable as they are."""

    def describe(self, exchange: Exchange) -> Description | None:
        if exchange.signature.lib != LIBRARY or exchange.type not in (CALL, CONNECT):
            return None
        request = exchange.request
        if exchange.type == CONNECT:
            return Description(text=f"connect to {host_text(request)}", outcome=_outcome(exchange))
        query = request.get("query")
        asked = f"?{query.decode('latin-1')}" if isinstance(query, bytes) and query else ""
        size = _length(request.get("body"))
        return Description(
            text=f"{words(request.get('scheme'))}://{host_text(request)}{path_text(request)}{asked}",
            note=f"body of {size} bytes" if size else _uploaded(request.get("upload")),
            outcome=_outcome(exchange),
        )

    def readable(self, exchange: Exchange) -> Exchange:
        return exchange


DESCRIBING: Final = HttpDescribing()


def _uploaded(upload: Value) -> str:
    return f"body of {words(upload.get('size'))} bytes" if isinstance(upload, dict) else ""


def _outcome(exchange: Exchange) -> str:
    result = exchange.result
    told = [words(result.get("status"))] if isinstance(result.get("status"), int) else []
    size = _length(result.get("body"))
    if told and size:
        told.append(f"{size} bytes")
    if result.get("ended") == "client":
        told.append("not read on")
    if failed := innermost(result.get("error")):
        told.append(words(failed))
    return ", ".join(told)


def _length(body: Value) -> int:
    """Bytes of a body, be they here or beside the part."""
    if isinstance(body, (list, tuple)):
        return sum(map(_length, body))
    if isinstance(body, Blob):
        return body.size
    return len(body) if isinstance(body, (bytes, str)) else 0
