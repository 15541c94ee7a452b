"""asyncpg's taps in one process: a tape that keeps what they put on it, and what the codec makes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.drivers.psycopg.taping import ListTape
from timetracer_otel.capture import guard, table
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.asyncpg.codec import CODEC
from timetracer_otel.drivers.asyncpg.record import RECORDING


@dataclass
class Tape(ListTape):
    """Keeps everything."""

    @property
    def exchanges(self) -> list[Exchange]:
        return [exchange_of(captured) for captured in self.captured]

    def asked(self) -> list[Exchange]:
        """Without those that only say what a statement looks like."""
        return [each for each in self.exchanges if each.request["op"] != "prepare"]


def exchange_of(captured: Captured) -> Exchange:
    encoded = CODEC.encode(captured)
    return Exchange(
        id=f"test-{captured.number}",
        type=encoded.type,
        signature=Signature(encoded.lib, encoded.method, encoded.url),
        request=encoded.request,
        result=encoded.result,
        complete=captured.complete,
        target=encoded.target,
        connection=captured.connection,
        transaction=captured.transaction,
        at_ns=captured.number,
        duration_ns=1,
        dropped={"reason": captured.dropped} if captured.dropped else None,
    )


@contextlib.contextmanager
def taps(strict: bool = True) -> Iterator[Tape]:
    """asyncpg with the taps in; a failure inside them is raised, unless told otherwise."""
    tape = Tape()
    before = guard.strict
    table.activate(tape)
    guard.strict = strict
    RECORDING.install()
    try:
        yield tape
    finally:
        RECORDING.uninstall()
        guard.strict = before
        table.activate(None)


def values(exchange: Exchange) -> Any:
    """Column by column, of its last result."""
    results: Any = exchange.result["results"]
    return results[-1]["values"]
