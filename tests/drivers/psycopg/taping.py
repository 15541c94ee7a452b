"""psycopg's taps in one process, and what is read of the exchanges that they make."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from tests.drivers.taping import ListTape, tapped
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.psycopg.codec import CODEC
from timetracer_otel.drivers.psycopg.record import RECORDING


def taps(strict: bool = True) -> AbstractContextManager[ListTape]:
    """psycopg with the taps in; a failure inside them is raised, unless told otherwise."""
    return tapped(RECORDING, ListTape(CODEC), strict)


def error_of(exchange: Exchange) -> Any:
    """The fields of its error."""
    return exchange.result["error"]


def rows(exchange: Exchange) -> Any:
    """The rows of its last result."""
    results: Any = exchange.result["results"]
    return list(zip(*results[-1]["values"], strict=True))
