"""What the taps of entries write to in replay: kept in memory, to be compared with the recording."""

from __future__ import annotations

import time
from collections.abc import Callable

from opentelemetry import trace

from timetracer_otel.capture.table import Captured, Spill
from timetracer_otel.cassette.model import Acquire, Exchange, Payload, Signature
from timetracer_otel.drivers import registry
from timetracer_otel.redaction import Redactor
from timetracer_otel.replay.processor import Bindings


class EntryTape:
    """Implements `capture.table.Tape` for the one entry that is replayed: everything else is not captured."""

    def __init__(self, bindings: Bindings) -> None:
        self._bindings = bindings
        self.entry: Captured | None = None

    def listens(self) -> bool:
        return self.entry is None

    def segment(self) -> int:
        return 0

    def open(
        self,
        driver: str,
        request: object,
        connection: int | None = None,
        transaction: int | None = None,
        is_entry: bool = False,
    ) -> Captured | None:
        trace_id = trace.get_current_span().get_span_context().trace_id
        if self.entry is not None or not is_entry or not self._bindings.is_bound(trace_id):
            return None
        self.entry = Captured(driver, request, connection, transaction, is_entry)
        return self.entry

    def close(
        self, captured: Captured, result: object, size: int, complete: bool = True, dropped: str | None = None
    ) -> None:
        captured.result, captured.size, captured.complete, captured.dropped = result, size, complete, dropped
        captured.closed_ns = time.time_ns()

    def grown(self, captured: Captured, size: int) -> None:
        captured.size = size

    def discard(self, captured: Captured) -> None:
        if captured is self.entry:
            self.entry = None

    def spill(self, captured: Captured, released: Callable[[int], None]) -> Spill | None:
        """What is compared stays in memory."""
        return None

    def prepare(self) -> None:
        """Nothing is written."""

    def entry_began(self) -> None:
        """There is no environment to end."""

    def connected(self, number: int, driver: str, target: str, parameters: Payload, has_changed: bool = False) -> None:
        """Connections of a replay are our own."""

    def acquired(self, acquire: Acquire) -> None:
        """So is how long they are waited for."""


def exchange_of(captured: Captured, redactor: Redactor) -> Exchange:
    """The replayed entry in the form of a recorded one: redacted, since it goes into the report."""
    codec = registry.codec(captured.driver)
    encoded, redacted = codec.redact(codec.encode(captured), redactor)
    return Exchange(
        id="replayed",
        type=encoded.type,
        signature=Signature(encoded.lib, encoded.method, encoded.url),
        request=encoded.request,
        result=encoded.result,
        complete=captured.complete,
        target=encoded.target,
        duration_ns=max(0, captured.closed_ns - captured.opened_ns),
        redacted=redacted,
    )
