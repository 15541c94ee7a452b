"""Cassettes for people: rows of text in place of columns of bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from timetracer_otel.cassette import Cassette, Exchange, Payload, readable
from timetracer_otel.errors import DamagedCassette, Unconvertible
from timetracer_otel.wire.postgres.readable import to_readable

_BY_TYPE: Final[Mapping[str, Callable[[Payload], Payload]]] = {"db.query": to_readable}
"""What makes a result readable; of other types it is readable as it is stored."""


def in_readable_form(cassette: Cassette) -> Cassette:
    """The same cassette; a value of which the readable form would not give the same bytes back stays as it is."""
    return readable(cassette, _readable)


def _readable(exchange: Exchange) -> Exchange:
    convert = _BY_TYPE.get(exchange.type)
    if convert is None:
        return exchange
    try:
        return replace(exchange, result=convert(exchange.result))
    except DamagedCassette as error:  # a result of a wrong shape is shown as it is, the rest of the cassette with it
        raise Unconvertible(str(error)) from None
