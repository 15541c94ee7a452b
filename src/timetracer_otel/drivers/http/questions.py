"""Requests in canonical form: what is recorded and what is asked in replay become the same `Question`.

All headers count that an application sets and a server may distinguish. What the client adds for the transport, what
tracing propagates, what is minted for each call and what follows from it (dates, signatures) does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.drivers.http import bodies
from timetracer_otel.drivers.http.names import CONNECT, LIBRARY
from timetracer_otel.drivers.http.requests import body_of, header, host_text, pairs, path_text

TRANSPORT: Final = frozenset({
    "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
    "expect", "accept-encoding", "user-agent", "proxy-connection", "content-type", "content-encoding",
    "http2-settings", "content-md5", "digest", "content-digest",
})  # fmt: skip
"""content-type and content-encoding say how the body is read, and count there."""
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
CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization"})
SIGNING: Final = frozenset({"digest", "oauth", "hawk", "aws4-hmac-sha256", "aws4-ecdsa-p256-sha256", "signature"})
"""Schemes whose credentials differ with each request: only that it is one of them counts."""
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
    method, place = str(request.get("method", "")), f"{request.get('scheme')}://{host_text(request)}"
    url = host_text(request) + path_text(request)
    is_unsent = bool(request.get("unsent"))
    return Question(
        lib=LIBRARY,
        method=method,
        url=url,
        shape=(method, place, is_unsent),
        text=f"{method} {place}{path_text(request)}",
        slots=tuple(_slots(request, is_unsent)),
    )


def _slots(request: Payload, is_unsent: bool) -> Iterator[Slot]:
    yield bodies.leaf("path", body_of(request.get("path")))
    yield from bodies.fields(body_of(request.get("query")), "query")
    yield from _headers(request)
    if is_unsent:
        return
    headers = pairs(request.get("headers"))
    upload = request.get("upload")
    if isinstance(upload, dict):
        size, digest = upload.get("size"), str(upload.get("sha256"))
        yield Slot("body", key=("bytes", digest), shown=f"{size} bytes, sha256 {digest}")
    elif body := body_of(request.get("body")):
        yield from bodies.slots(body, header(headers, b"content-type"), header(headers, b"content-encoding"))


def _headers(request: Payload) -> Iterator[Slot]:
    """By name, whatever order they have; the order counts within one name."""
    named = [(name.decode("latin-1").lower(), value) for name, value in pairs(request.get("headers"))]
    total, seen = Counter(name for name, _ in named), Counter[str]()
    slots = list[tuple[str, Slot]]()
    for name, value in named:
        path = f"headers.{name}[{seen[name]}]" if total[name] > 1 else f"headers.{name}"
        seen[name] += 1
        if name not in NOT_COUNTED and not name.startswith(PREFIXES):
            slots.append((name, _header(name, path, value)))
    yield from (slot for _, slot in sorted(slots, key=lambda each: each[0]))


def _header(name: str, path: str, value: bytes) -> Slot:
    text = value.decode("latin-1")
    if name in IDEMPOTENCY and UUID.fullmatch(text):
        return Slot(path, key=value, shown=text, text=text, made=text.replace("-", "").lower())
    scheme = text.partition(" ")[0].lower()
    if name in CREDENTIALS and scheme in SIGNING:
        return Slot(path, key=scheme, shown=scheme)
    return Slot(path, key=value, shown=text[: bodies.SHOWN_MAX], text=text)
