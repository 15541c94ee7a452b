"""What an exchange says to people: its driver knows, and what is printed of that is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from timetracer_otel.cassette import Exchange, Value
from timetracer_otel.cassette.escaping import safe, shown, words
from timetracer_otel.cli.output import one_line
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import Description

VALUE_MAX: Final = 40
VALUES_MAX: Final = 8
ERROR_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Described:
    """One line each, safe to print."""

    call: str
    text: str
    values: str
    outcome: str


def describe(exchange: Exchange) -> Described:
    about = description(exchange)
    call = safe(f"{exchange.signature.lib} {exchange.signature.method}")
    return Described(call, one_line(about.text), _values(about), _state(exchange) or one_line(about.outcome))


def description(exchange: Exchange) -> Description:
    """By its driver; of one that this release does not know, what every exchange has."""
    lib = exchange.signature.lib
    found = registry.describing(lib).describe(exchange) if lib in registry.DRIVERS else None
    return found or _any(exchange)


def short(value: Value, limit: int = VALUE_MAX) -> str:
    """The value as Python writes it, cut after `limit` characters."""
    text = safe(shown(value))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _values(about: Description) -> str:
    printed = ", ".join(short(value) for value in about.values[:VALUES_MAX])
    more = f", … {len(about.values)} in all" if len(about.values) > VALUES_MAX else ""
    return f"{printed}{more}" or safe(about.note)


def _state(exchange: Exchange) -> str:
    if exchange.dropped is not None:
        return one_line(f"dropped: {words(exchange.dropped.get('reason'))}")
    return "" if exchange.complete else "incomplete"


def _any(exchange: Exchange) -> Description:
    error = exchange.result.get("error")
    exception = exchange.result.get("exception")
    traceback = exception.get("traceback") if isinstance(exception, Mapping) else None
    return Description(
        text=exchange.signature.url,
        outcome="" if error is None else short(error, ERROR_MAX),
        traceback=traceback if isinstance(traceback, str) else None,
    )
