"""What the tests of the ASGI driver share: a tape, a provider, an app called by hand, an app on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import uvicorn
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from timetracer_otel.capture import table
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Acquire, Blob, Exchange, Payload, Process, Segment, Signature
from timetracer_otel.drivers.asgi.codec import CODEC
from timetracer_otel.drivers.asgi.record import RECORDING
from timetracer_otel.redaction import Redactor

Message = dict[str, Any]


class MemorySpill:
    """Implements `capture.table.Spill`; the test is the writer, who takes what is `waiting` with `take`."""

    def __init__(self, released: Callable[[int], None]) -> None:
        self._released = released
        self.waiting: list[bytes] = []
        self.taken: list[bytes] = []
        self.is_ended = False
        self.discards = 0
        self.reason: str | None = None

    def write(self, chunk: bytes) -> None:
        assert not self.is_ended
        self.waiting.append(chunk)

    def end(self) -> None:
        self.is_ended = True

    def discard(self) -> None:
        self.discards += 1
        self.take()

    def take(self) -> None:
        while self.waiting:
            self.taken.append(self.waiting.pop(0))
            self._released(len(self.taken[-1]))

    def blobs(self) -> Sequence[Blob] | None:
        assert self.is_ended
        starts = [0, *accumulate(map(len, self.taken))]
        blobs = [Blob("0" * 64, start, len(chunk)) for start, chunk in zip(starts, self.taken, strict=False)]
        return blobs if self.reason is None else None


class MemoryTape:
    """Implements `capture.table.Tape`: everything is captured, and how often each was closed."""

    def __init__(self, has_disk: bool = False) -> None:
        self.has_disk = has_disk
        self.spills: list[MemorySpill] = []
        self.captured: list[Captured] = []
        self.closes: list[Captured] = []
        self.sizes: list[int] = []
        self.entries = 0
        self.is_prepared = False
        self.owners: list[ReadableSpan] = []

    def listens(self) -> bool:
        return True

    def spill(self, captured: Captured, released: Callable[[int], None]) -> MemorySpill | None:
        if self.has_disk:
            self.spills.append(MemorySpill(released))
        return self.spills[-1] if self.has_disk else None

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
        span = trace.get_current_span()
        if not span.is_recording():
            return None
        assert isinstance(span, ReadableSpan)
        self.owners.append(span)
        self.captured.append(Captured(driver, request, connection, transaction, is_entry))
        return self.captured[-1]

    def close(
        self, captured: Captured, result: object, size: int, complete: bool = True, dropped: str | None = None
    ) -> None:
        captured.result, captured.complete, captured.dropped = result, complete, dropped
        captured.closed_ns = time.time_ns()
        self.closes.append(captured)
        self.sizes.append(size)

    def grown(self, captured: Captured, size: int) -> None:
        raise AssertionError("an ASGI request is closed with its answer")

    def discard(self, captured: Captured) -> None:
        self.captured.remove(captured)

    def prepare(self) -> None:
        self.is_prepared = True

    def entry_began(self) -> None:
        self.entries += 1

    def connected(self, number: int, driver: str, target: str, parameters: Payload, has_changed: bool = False) -> None:
        raise AssertionError("an ASGI request makes no connection")

    def acquired(self, acquire: Acquire) -> None:
        raise AssertionError("an ASGI request asks no pool")

    @property
    def request(self) -> Any:
        """That of the only exchange; Any, since tests know what they put in."""
        return self.exchange.request

    @property
    def result(self) -> Any:
        return self.exchange.result

    @property
    def exchange(self) -> Exchange:
        """The only exchange, as the cassette would have it."""
        (captured,) = self.captured
        return exchange_of(captured)


def exchange_of(captured: Captured, redactor: Redactor | None = None) -> Exchange:
    encoded = CODEC.encode(captured)
    redacted: tuple[str, ...] = ()
    if redactor is not None:
        encoded, redacted = CODEC.redact(encoded, redactor)
    return Exchange(
        id="p-1",
        type=encoded.type,
        signature=Signature(encoded.lib, encoded.method, encoded.url),
        request=encoded.request,
        result=encoded.result,
        complete=captured.complete,
        duration_ns=captured.closed_ns - captured.opened_ns,
        redacted=redacted,
    )


def segment_of(exchange: Exchange) -> Segment:
    return Segment(
        trace_id="1" * 32, id="2" * 16, process=Process("3" * 32), complete=True, spans=(), exchanges=(exchange,)
    )


OURS = re.compile(r'  File "[^"]*timetracer_otel/drivers/asgi/tap\.py".*\n(?:    .*\n)*')


def _without_us(value: Any) -> Any:
    return OURS.sub("", value) if isinstance(value, str) else value


class Telemetry:
    """A provider of our own, so that nothing global is set, and what a second exporter sees of it."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self.exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> list[tuple[str, str, dict[str, Any], str, list[tuple[str, dict[str, Any]]]]]:
        """What does not change from run to run: name, kind, attributes but for ports, status, events.

        The tap's own frame is cut out of tracebacks (docs/decisions/0007): all else in them must be the same.
        """
        ports = (
            "net.peer.port",
            "client.port",
            "server.port",
            "http.host",
            "http.url",
            "net.host.port",
            "http.server_name",
        )
        return [
            (
                span.name,
                span.kind.name,
                {key: value for key, value in (span.attributes or {}).items() if key not in ports},
                span.status.status_code.name,
                [
                    (event.name, {key: _without_us(value) for key, value in (event.attributes or {}).items()})
                    for event in span.events
                ],
            )
            for span in self.exporter.get_finished_spans()
        ]


@contextlib.contextmanager
def recording(tape: table.Tape) -> Iterator[None]:
    """The tap is in and writes to `tape`. Apps must be built inside."""
    RECORDING.install()
    table.activate(tape)
    try:
        yield
    finally:
        table.activate(None)
        RECORDING.uninstall()


# ---- an app called by hand -------------------------------------------------------------------------------------------


def http_scope(path: str = "/", **fields: Any) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"shop.test")],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
        **fields,
    }


class Client:
    """The other side of one call: gives `messages`, then waits; keeps what it is sent."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self.given = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]
        self.received: list[Message] = []
        self.sent: list[Message] = []
        self.events: list[str] = []

    async def receive(self) -> Message:
        await asyncio.sleep(0)
        if len(self.received) == len(self.given):
            await asyncio.Event().wait()
        message = self.given[len(self.received)]
        self.received.append(message)
        self.events.append(f"receive {message['type']}")
        return message

    async def send(self, message: Message) -> None:
        self.events.append(f"send {message['type']}")
        self.sent.append(message)
        await asyncio.sleep(0)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def call(app: Any, scope: Message | None = None, client: Client | None = None) -> Client:
    """Runs the app once; what it raises comes out."""
    client = client or Client()
    asyncio.run(app(scope or http_scope(), client.receive, client.send))
    return client


# ---- an app on a socket ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(app: Any) -> Iterator[int]:
    """The port of a real uvicorn in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="auto", http="h11", date_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
        assert not thread.is_alive()


def talk(port: int, *pieces: bytes) -> bytes:
    """Everything that the server sends for the bytes, sent piece by piece, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.01)
        received = bytearray()
        while data := connection.recv(64 * 1024):
            received += data
        return bytes(received)


def raw_request(line: bytes, body: bytes = b"", *headers: bytes) -> bytes:
    length = b"content-length: %d" % len(body)
    return b"\r\n".join([line + b" HTTP/1.1", b"host: shop.test", b"connection: close", length, *headers, b"", body])
