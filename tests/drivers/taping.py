"""The recording side of a driver in one process: a tape that keeps what the taps put on it, as a cassette would."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from opentelemetry import trace

from timetracer_otel.capture import guard, table
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Acquire, Connection, Exchange, Payload, Signature
from timetracer_otel.drivers.base import Codec, Recording
from timetracer_otel.redaction import Redactor

_segments = itertools.count(1)


@dataclass
class ListTape:
    """Implements `capture.table.Tape`; captures everything. With `masks` its exchanges are redacted."""

    codec: Codec
    masks: bool = False
    captured: list[Captured] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    acquires: list[Acquire] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _segment: int = field(default_factory=_segments.__next__)

    def segment(self) -> int:
        return self._segment

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

    def grown(self, captured: Captured, size: int) -> None:
        captured.size = size

    def discard(self, captured: Captured) -> None:
        self.captured.remove(captured)

    def listens(self) -> bool:
        return True

    def spill(self, captured: object, released: object) -> None:
        return None

    def prepare(self) -> None:
        """Nothing is written."""

    def entry_began(self) -> None:
        """It has no environment."""

    def connected(self, number: int, driver: str, target: str, parameters: Payload, has_changed: bool = False) -> None:
        self.connections.append(Connection(number, driver, target, parameters))

    def acquired(self, acquire: Acquire) -> None:
        self.acquires.append(acquire)

    @property
    def exchanges(self) -> list[Exchange]:
        redactor = Redactor(b"key").of_trace() if self.masks else None
        return [exchange_of(captured, self.codec, redactor) for captured in self.captured]

    @property
    def names(self) -> list[str]:
        """Of the operations."""
        return [each.signature.method for each in self.exchanges]

    @property
    def statements(self) -> list[str]:
        return [str(exchange.request.get("statement", exchange.type)) for exchange in self.exchanges]

    @property
    def open_ones(self) -> list[str]:
        """Statements whose exchange was never closed."""
        return [each for each, captured in zip(self.statements, self.captured, strict=True) if not captured.closed_ns]


def exchange_of(captured: Captured, codec: Codec, redactor: Redactor | None = None) -> Exchange:
    """What the codec makes of it, numbered by the tape; masked if there is a redactor."""
    encoded, redacted = codec.encode(captured), tuple[str, ...]()
    if redactor is not None:
        encoded, redacted = codec.redact(encoded, redactor)
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
        redacted=redacted,
        dropped={"reason": captured.dropped} if captured.dropped else None,
    )


Tape = TypeVar("Tape", bound=ListTape)


@contextlib.contextmanager
def tapped(recording: Recording, tape: Tape, strict: bool) -> Iterator[Tape]:
    """The driver with its taps in, heard by the tape; a failure inside them is raised if `strict`."""
    before = guard.strict
    table.activate(tape)
    guard.strict = strict
    recording.install()
    try:
        yield tape
    finally:
        recording.uninstall()
        guard.strict = before
        table.activate(None)
