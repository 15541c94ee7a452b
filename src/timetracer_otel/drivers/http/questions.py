"""Requests in canonical form: what is recorded and what is asked in replay become the same `Question`.

All headers count that an application sets and a server may distinguish. What the client adds for the transport, what
tracing propagates, what is minted for each call and what follows from it (dates, signatures) does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.drivers.http import bodies
from timetracer_otel.drivers.http.names import CONNECT, LIBRARY
from timetracer_otel.drivers.http.requests import body_of, header, host_text, pairs, path_text
from timetracer_otel.redaction.credentials import SIGNING, counted, fields

TRANSPORT: Final = frozenset({
    "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
    "expect", "accept-encoding", "user-agent", "proxy-connection", "proxy-authorization",
    "content-type", "content-encoding", "http2-settings", "content-md5", "digest", "content-digest",
})  # fmt: skip
"""content-type and content-encoding say how the body is read, and count there. A proxy is none of the server's."""
PROPAGATION: Final = frozenset({
    "traceparent", "tracestate", "baggage", "b3", "uber-trace-id", "x-amzn-trace-id", "x-cloud-trace-context",
    "sentry-trace",
})  # fmt: skip
PER_CALL: Final = frozenset({
    "date", "x-amz-date", "x-amz-content-sha256", "x-request-id", "request-id", "x-correlation-id",
    "x-client-request-id", "x-stripe-client-telemetry", "x-stripe-client-user-agent", "amz-sdk-invocation-id",
    "amz-sdk-request",
})  # fmt: skip
NOT_COUNTED: Final = TRANSPORT | PROPAGATION | PER_CALL
PREFIXES: Final = ("x-b3-", "x-datadog-", "x-stainless-", "ot-tracer-", "uberctx-")
IDEMPOTENCY: Final = frozenset({"idempotency-key", "x-idempotency-key"})
CREDENTIALS: Final = "authorization"
NAME: Final = itemgetter(0)
"""Of a header pair."""
SENT: Final = "body.sent"
"""Path of what was sent of a body that broke off; its key is `begun`, the size, the digest."""
UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


def question_of(exchange: Exchange) -> Question:
    """Of a recorded request."""
    return connect_question(exchange.request) if exchange.type == CONNECT else question(exchange.request)


def connect_question(request: Payload) -> Question:
    """Of a connection that is to be made."""
    place = f"{request.get('scheme')}://{host_text(request)}"
    return Question(LIBRARY, "connect", host_text(request), shape=("connect", place), text=f"connect to {place}")


def question(request: Payload) -> Question:
    """Of what `requests.request` gives, here or in a cassette of anybody's making."""
    method, host, path = str(request.get("method", "")), host_text(request), path_text(request)
    place, is_unsent = f"{request.get('scheme')}://{host}", "unsent" in request
    return Question(
        lib=LIBRARY,
        method=method,
        url=host + path,
        shape=(method, place, is_unsent),
        text=f"{method} {place}{path}",
        slots=tuple(_slots(request, is_unsent)),
    )


def _slots(request: Payload, is_unsent: bool) -> Iterator[Slot]:
    yield bodies.leaf("path", body_of(request.get("path")))
    if query := body_of(request.get("query")):
        yield from bodies.fields(query, "query")
    headers = pairs(request.get("headers"))
    yield from _headers(tuple([(name, value) for each, value in headers if (name := _counted_name(each)) is not None]))
    if is_unsent:
        yield from _unsent(request.get("unsent"), headers)
        return
    upload = request.get("upload")
    if isinstance(upload, dict):
        size, digest = upload.get("size"), str(upload.get("sha256"))
        yield Slot("body", key=("bytes", digest), shown=f"{size} bytes, sha256 {digest}")
    elif body := body_of(request.get("body")):
        yield from bodies.slots(body, header(headers, b"content-type"), header(headers, b"content-encoding"))


def _unsent(told: Value, headers: list[tuple[bytes, bytes]]) -> Iterator[Slot]:
    """Of a body that was not sent to its end: what was, and what its head said of the rest to a server that answered.
    One that held a secret is known by nothing, and equals no other."""
    unsent = told if isinstance(told, dict) else {}
    size, digest = unsent.get("size"), unsent.get("sha256")
    yield bodies.type_slot(header(headers, b"content-type"), header(headers, b"content-encoding"))
    yield Slot(SENT, key=("begun", size, digest or object()), shown=f"{size} bytes, sha256 {digest}")
    if unsent.get("is_answered"):
        length = header(headers, b"content-length")
        yield Slot("headers.content-length", key=length, shown=length)


@lru_cache(maxsize=1000)
def _headers(named: tuple[tuple[str, bytes], ...]) -> tuple[Slot, ...]:
    """By name, whatever order they have; the order counts within one name."""
    slots: list[Slot] = []
    for name, alike in groupby(sorted(named, key=NAME), NAME):
        values = [value for _, value in alike]
        for number, value in enumerate(values):
            slots += _header(name, f"headers.{name}[{number}]" if len(values) > 1 else f"headers.{name}", value)
    return tuple(slots)


@lru_cache(maxsize=1000)
def _counted_name(name: bytes) -> str | None:
    """In lower case; None where a server does not go by it."""
    text = name.decode("latin-1").lower()
    return None if text in NOT_COUNTED or text.startswith(PREFIXES) else text


def _header(name: str, path: str, value: bytes) -> tuple[Slot, ...]:
    text = value.decode("latin-1")
    if name in IDEMPOTENCY and UUID.fullmatch(text):
        return (Slot(path, key=value, shown=text, text=text, made=text.replace("-", "").lower()),)
    scheme, _, rest = value.partition(b" ")
    signed = fields(rest) if name == CREDENTIALS and scheme.lower() in SIGNING else []
    if not signed:
        return (Slot(path, key=value, shown=text[: bodies.SHOWN_MAX], text=text),)
    found = (bodies.leaf(f"{path}.{each}", what) for each, what in sorted(counted(rest).items()))
    return Slot(path, key=scheme.lower(), shown=scheme.decode("latin-1")), *found
