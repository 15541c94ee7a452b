"""redis-py's taps in one process: a tape that keeps what they put on it, and a replay of that."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.drivers.psycopg.replaying import Replayed, replaying
from tests.drivers.psycopg.taping import ListTape
from timetracer_otel.capture import guard, table
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.redis.codec import CODEC
from timetracer_otel.drivers.redis.record import RECORDING
from timetracer_otel.drivers.redis.replay import REPLAYING
from timetracer_otel.redaction import Redactor

PRODUCTION = "rediss://app:secret@cache.example:6380/0?ssl_ca_certs=/no/ca.pem"
PROVIDER = TracerProvider()
TIMEOUT_S = 60


@dataclass
class Tape(ListTape):
    """Keeps everything."""

    @property
    def exchanges(self) -> list[Exchange]:
        redactor = Redactor(b"key").of_trace()
        return [exchange_of(captured, redactor) for captured in self.captured]

    @property
    def names(self) -> list[str]:
        return [each.signature.method for each in self.exchanges]


def exchange_of(captured: Captured, redactor: Redactor) -> Exchange:
    encoded, redacted = CODEC.redact(CODEC.encode(captured), redactor)
    return Exchange(
        id=f"test-{captured.number}",
        type=encoded.type,
        signature=Signature(encoded.lib, encoded.method, encoded.url),
        request=encoded.request,
        result=encoded.result,
        complete=captured.complete,
        target=encoded.target,
        connection=captured.connection,
        at_ns=captured.number,
        duration_ns=1,
        redacted=redacted,
    )


@contextlib.contextmanager
def taps(strict: bool = True) -> Iterator[Tape]:
    """redis-py with the taps in; a failure inside them is raised, unless told otherwise."""
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


@contextlib.contextmanager
def replayed(tape: Tape) -> Iterator[Replayed]:
    """redis-py redirected to what the tape holds, in a span of the trace that is replayed."""
    with replaying({"trace": tape.exchanges}, tape.connections, REPLAYING) as replay, traced(replay, "trace"):
        yield replay


@contextlib.contextmanager
def traced(replay: Replayed, name: str) -> Iterator[Any]:
    """The calling context works for the session of this name."""
    with PROVIDER.get_tracer("tests").start_as_current_span(name) as span:
        replay.bindings.bind(trace.get_current_span().get_span_context().trace_id, replay.sessions[name])
        yield span


def until(is_true: Callable[[], object]) -> None:
    """Returns once it is."""
    deadline = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
