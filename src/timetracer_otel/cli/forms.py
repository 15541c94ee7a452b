"""Cassettes for people: each exchange in the readable form that its driver knows."""

from __future__ import annotations

from timetracer_otel.cassette import Cassette, Exchange, readable
from timetracer_otel.drivers import registry
from timetracer_otel.errors import DamagedCassette, Unconvertible


def in_readable_form(cassette: Cassette) -> Cassette:
    """The same cassette; a value of which the readable form would not give the same bytes back stays as it is."""
    return readable(cassette, _readable)


def _readable(exchange: Exchange) -> Exchange:
    if exchange.signature.lib not in registry.DRIVERS:
        return exchange
    try:
        return registry.describing(exchange.signature.lib).readable(exchange)
    except DamagedCassette as error:  # a result of a wrong shape is shown as it is, the rest of the cassette with it
        raise Unconvertible(str(error)) from None
