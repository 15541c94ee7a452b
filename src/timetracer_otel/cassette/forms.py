"""A cassette for people: payloads in readable form, and the whole as plain JSON data (`show --json`, bundles)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from timetracer_otel.cassette.document import cassette_document
from timetracer_otel.cassette.model import Cassette, Exchange
from timetracer_otel.cassette.values import DOCUMENT_DEPTH, Json, encode
from timetracer_otel.errors import Unconvertible

Readable: TypeAlias = Callable[[Exchange], Exchange]
"""The readable form of an exchange where converting back gives the same bytes; may raise Unconvertible elsewhere."""


def readable(cassette: Cassette, convert: Readable) -> Cassette:
    """The same cassette with every exchange in readable form, or as it is where `convert` raises Unconvertible."""
    segments = [replace(segment, exchanges=_converted(segment.exchanges, convert)) for segment in cassette.segments]
    environments = {
        process_id: replace(environment, exchanges=_converted(environment.exchanges, convert))
        for process_id, environment in cassette.environments.items()
    }
    return replace(cassette, segments=tuple(segments), environments=environments)


def as_json(cassette: Cassette) -> dict[str, Json]:
    """The document of a bundle, as data that every JSON writer takes."""
    document: dict[str, Json] = encode(cassette_document(cassette), DOCUMENT_DEPTH)
    return document


def service_of(cassette: Cassette) -> str | None:
    """OpenTelemetry's service.name of the first segment that has one."""
    names = (segment.resource.get("service.name") for segment in cassette.segments)
    return next((name for name in names if isinstance(name, str) and name), None)


def _converted(exchanges: Iterable[Exchange], convert: Readable) -> tuple[Exchange, ...]:
    return tuple(_convert(exchange, convert) for exchange in exchanges)


def _convert(exchange: Exchange, convert: Readable) -> Exchange:
    try:
        return convert(exchange)
    except Unconvertible:
        return exchange
