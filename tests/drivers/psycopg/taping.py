"""The recording side in one process: a tape that keeps what the taps put on it, and what the codec makes of it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace

from timetracer_otel.capture import guard, table
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Acquire, Connection, Exchange, Payload, Signature
from timetracer_otel.drivers.psycopg.codec import CODEC
from timetracer_otel.drivers.psycopg.record import RECORDING


@dataclass
class ListTape:
    """Implements `capture.table.Tape`; captures everything."""

    captured: list[Captured] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    acquires: list[Acquire] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def open(
        self,
        driver: str,
        request: object,
        connection: int | None = None,
        transaction: int | None = None,
        is_entry: bool = False,
    ) -> Captured | None:
        captured = Captured(driver, request, connection, transaction)
        captured.number = next(self._numbers)  # unlike a place, no other one gets it after a discard
        captured.span_id = trace.get_current_span().get_span_context().span_id
        self.captured.append(captured)
        return captured

    def close(
        self, captured: Captured, result: object, size: int, complete: bool = True, dropped: str | None = None
    ) -> None:
        captured.result, captured.size, captured.complete, captured.dropped = result, size, complete, dropped
        captured.closed_ns = captured.opened_ns + 1

    def discard(self, captured: Captured) -> None:
        self.captured.remove(captured)

    def listens(self) -> bool:
        return True

    def spill(self, captured: object, released: object) -> None:
        return None

    def entry_began(self) -> None:
        """It has no environment."""

    def connected(self, number: int, driver: str, target: str, parameters: Payload) -> None:
        self.connections.append(Connection(number, driver, target, parameters))

    def acquired(self, acquire: Acquire) -> None:
        self.acquires.append(acquire)

    @property
    def exchanges(self) -> list[Exchange]:
        """All of them as a cassette would hold them, without redaction."""
        return [exchange_of(captured) for captured in self.captured]

    @property
    def statements(self) -> list[str]:
        return [str(exchange.request.get("statement", exchange.type)) for exchange in self.exchanges]

    @property
    def open_ones(self) -> list[str]:
        """Statements whose exchange was never closed."""
        return [each for each, captured in zip(self.statements, self.captured, strict=True) if not captured.closed_ns]


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
def taps(strict: bool = True) -> Iterator[ListTape]:
    """psycopg with the taps in; a failure inside them is raised, unless told otherwise."""
    tape = ListTape()
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


def error_of(exchange: Exchange) -> Any:
    """The fields of its error."""
    return exchange.result["error"]


def rows(exchange: Exchange) -> Any:
    """The rows of its last result."""
    results: Any = exchange.result["results"]
    return list(zip(*results[-1]["values"], strict=True))
