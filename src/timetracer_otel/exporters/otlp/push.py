"""A cassette to Jaeger, a Collector or whatever takes OTLP/HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from timetracer_otel.cassette import Cassette
from timetracer_otel.config import MIB
from timetracer_otel.errors import BackendError
from timetracer_otel.exporters.otlp import transfer
from timetracer_otel.exporters.otlp.attributes import shown_text
from timetracer_otel.exporters.otlp.bridge import spans_of
from timetracer_otel.exporters.otlp.names import REQUEST_MAX_BYTES
from timetracer_otel.exporters.otlp.packing import Package, halves, packages
from timetracer_otel.exporters.otlp.records import Put
from timetracer_otel.exporters.otlp.transfer import Answer, Connection

PATH: Final = "/v1/traces"
PROTOBUF: Final = "application/x-protobuf"
TOO_LARGE: Final = 413
BAD_REQUEST: Final = 400
UNKNOWN_PATH: Final = (404, 405, 501)
"""What a server answers that is no receiver of OTLP."""
ANOTHER: Final = "--to is the address of an OTLP receiver, port 4318"
OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Pushed:
    trace_id: str
    spans: int
    requests: int
    size: int
    """Bytes, before they were packed."""


def traces_url(base: str) -> str:
    """Where spans are posted, of a base URL or of that URL itself."""
    return base if base.endswith(PATH) else base + PATH


def push(
    cassette: Cassette,
    base_url: str,
    connection: Connection,
    put: Put | None = None,
    on_sent: Callable[[int, int], None] = lambda done, all_of_them: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Pushed:
    """Sends all of it, and hears of each request. Raises BackendError, Unconvertible.

    What was sent before a failure stays there; to push again sends spans of the same ids.
    """
    url, spans = traces_url(base_url), spans_of(cassette, put)
    waiting, requests, size = list(packages(spans)), 0, 0
    client = connection.client()
    while waiting:
        package = waiting.pop(0)
        data = package.message().SerializeToString()
        answer = transfer.patiently(partial(client.post, url, data, PROTOBUF), sleep)
        if is_too_large(answer) and len(package.spans) > 1:
            waiting[:0] = halves(package)
            continue
        check_taken(answer, package, url, len(data))
        requests, size = requests + 1, size + len(data)
        on_sent(requests, requests + len(waiting))
    return Pushed(cassette.trace_id, len(spans), requests, size)


def is_too_large(answer: Answer) -> bool:
    """Whether the receiver wants less at once. A Collector says so by 400, and in words.

    Source: collector v0.140, `confighttp` (max_request_body_size), which reads by Go's `http.MaxBytesReader`.
    """
    return answer.status == TOO_LARGE or (answer.status == BAD_REQUEST and "too large" in _said(answer))


def check_taken(answer: Answer, package: Package, url: str, size: int) -> None:
    """Raises BackendError, which names the span that is probably meant, unless all of the request was taken."""
    if answer.status not in OK:
        problem = f"it answered {answer.status} ({_said(answer) or 'without a word'}) to {_described(package, size)}"
        raise BackendError(url, problem, _advice(answer))
    if answer.is_page:
        raise BackendError(url, "it answered with a web page", ANOTHER)
    if rejected := _rejected(answer):
        raise BackendError(url, f"it rejected {rejected} of {_described(package, size)}", _advice(answer))


def _described(package: Package, size: int) -> str:
    span = package.largest.span
    largest = f"the largest is {span.name[:60]!r} ({span.span_id.hex()}) with {span.ByteSize()} bytes"
    limit = f"our limit is {REQUEST_MAX_BYTES // MIB} MiB"
    return f"a request of {len(package.spans)} spans and {size} bytes ({limit}; {largest})"


def _advice(answer: Answer) -> str:
    if is_too_large(answer):
        return "raise the receiver's limit (max_request_body_size), or keep payloads outside with --payloads"
    if answer.status in (401, 403):
        return "set OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Bearer%20..."
    return ANOTHER if answer.status in UNKNOWN_PATH else "see its log"


def _said(answer: Answer) -> str:
    """What is wrong, in one line. OTLP puts it into a `google.rpc.Status`, which is on the wire what this class is."""
    if not _is_protobuf(answer):
        return answer.message
    try:
        return _line(ExportTracePartialSuccess.FromString(answer.body).error_message)
    except DecodeError:
        return answer.message


def _rejected(answer: Answer) -> str:
    """How much of a request was not taken, by the server's word; empty if all was."""
    if not _is_protobuf(answer):
        return ""
    try:
        partial_success = ExportTraceServiceResponse.FromString(answer.body).partial_success
    except DecodeError:
        return ""
    if not partial_success.rejected_spans:
        return ""
    return f"{partial_success.rejected_spans} spans ({_line(partial_success.error_message)})"


def _is_protobuf(answer: Answer) -> bool:
    return "protobuf" in answer.content_type


def _line(text: str) -> str:
    return " ".join(shown_text(text, transfer.ERROR_MAX_CHARS).split())
