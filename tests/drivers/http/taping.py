"""The taps in one process: a tape that keeps what they put on it, and what the codec makes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.drivers.psycopg.taping import ListTape
from timetracer_otel.capture import guard, table
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.http.codec import CODEC
from timetracer_otel.drivers.http.record import RECORDING


@dataclass
class Tape(ListTape):
    """Keeps everything."""

    @property
    def exchanges(self) -> list[Exchange]:
        return [exchange_of(captured) for captured in self.captured]


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
        dropped={"reason": captured.dropped} if captured.dropped else None,
    )


@contextlib.contextmanager
def taps(strict: bool = True) -> Iterator[Tape]:
    """The clients with the taps in; a failure inside them is raised, unless told otherwise."""
    tape, before = Tape(), guard.strict
    table.activate(tape)
    guard.strict = strict
    RECORDING.install()
    try:
        yield tape
    finally:
        RECORDING.uninstall()
        guard.strict = before
        table.activate(None)
