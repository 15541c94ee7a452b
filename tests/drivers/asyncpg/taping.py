"""asyncpg's taps in one process: a tape that keeps what they put on it, and what the codec makes of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tests.drivers.taping import ListTape, tapped
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.asyncpg.codec import CODEC
from timetracer_otel.drivers.asyncpg.record import RECORDING


@dataclass
class Tape(ListTape):
    """Keeps everything."""

    def asked(self) -> list[Exchange]:
        """Without those that only say what a statement looks like."""
        return [each for each in self.exchanges if each.request["op"] != "prepare"]


def taps(strict: bool = True) -> AbstractContextManager[Tape]:
    """asyncpg with the taps in; a failure inside them is raised, unless told otherwise."""
    return tapped(RECORDING, Tape(CODEC), strict)


def values(exchange: Exchange) -> Any:
    """Column by column, of its last result."""
    results: Any = exchange.result["results"]
    return results[-1]["values"]
