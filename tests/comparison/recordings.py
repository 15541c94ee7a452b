"""Recordings of a shop on PostgreSQL, made by hand, at two times and by two processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from timetracer_otel.cassette import (
    Cassette,
    Entry,
    Exchange,
    Generated,
    Payload,
    Process,
    Segment,
    Signature,
    Span,
    Value,
)
from timetracer_otel.comparison import Differs, SegmentDiff, compare

A_NS = 1_764_000_000_000_000_000
B_NS = A_NS + 86_400_000_000_000
TOOK_NS = 50_000_000
TOTAL = "select total from orders where id = $1"
NAMES = "select id, name from customers order by id"
INT8, TEXT, NUMERIC, TIMESTAMPTZ, UUID = 20, 25, 1700, 1184, 2950
Rows = Sequence[Sequence[Value]]


def process(name: str = "9f", **fields: Any) -> Process:
    return Process(id=name * 16, **{"host": "web-1", "pid": 41, "python": "3.11.2", **fields})


def table(columns: Mapping[str, int], rows: Rows, tag: str | None = None) -> dict[str, Value]:
    """One result, in text format."""
    return {
        "columns": [{"name": name, "oid": oid} for name, oid in columns.items()],
        "formats": [0] * len(columns),
        "rows": len(rows),
        "values": [[row[index] for row in rows] for index in range(len(columns))],
        "tag": tag or f"SELECT {len(rows)}",
    }


def totals(*values: Value) -> dict[str, Value]:
    return table({"total": NUMERIC}, [[value] for value in values])


def query(
    number: int,
    statement: str = TOTAL,
    parameters: Sequence[Value] = (),
    *results: Mapping[str, Value],
    types: Sequence[int] | None = None,
    error: Mapping[str, Value] | None = None,
    **fields: Any,
) -> Exchange:
    """Number 3 was asked 3 ms after the beginning, for half a millisecond."""
    failure: dict[str, Value] = {"error": error} if error else {}
    request: dict[str, Value] = {
        "op": "query",
        "statement": statement,
        "parameters": list(parameters),
        "parameter_types": list(types or [TEXT] * len(parameters)),
        "parameter_formats": [0] * len(parameters),
    }
    given: dict[str, Any] = {
        "id": f"p-{number}",
        "request": request,
        "result": {"results": list(results), **failure, "tx": "I"},
        "at_ns": number * 1_000_000,
        "duration_ns": 500_000,
        **fields,
    }
    signature = Signature("psycopg", statement.split(maxsplit=1)[0].upper(), "shop")
    return Exchange(type="db.query", signature=signature, **given)


def http(
    path: str = "/orders/42",
    answer: Any = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    sent: Mapping[str, str] | None = None,
    **fields: Any,
) -> Exchange:
    """Answered with JSON 20 ms after it came."""
    body = json.dumps({} if answer is None else answer).encode()
    request: Payload = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": _pairs(sent or {}),
        "body": [],
        "body_size": 0,
        "ended": True,
    }
    result: Payload = {
        "status": status,
        "headers": _pairs({"content-type": "application/json", **(headers or {})}),
        "body": [[20_000_000, body]],
        "body_size": len(body),
        "ended": True,
    }
    given: dict[str, Any] = {"request": request, "result": result, "duration_ns": TOOK_NS, **fields}
    return Exchange("p-0", "http.server", Signature("asgi", "GET", path), **given)


def _pairs(headers: Mapping[str, str]) -> list[Value]:
    return [[name.encode(), value.encode()] for name, value in headers.items()]


def span(span_id: str, start_ns: int = A_NS, took_ns: int = TOOK_NS, **fields: Any) -> Span:
    given = {"name": "GET /orders/{id}", "kind": "SERVER", **fields}
    return Span(span_id, start_ns=start_ns, end_ns=start_ns + took_ns, **given)


def segment(
    *exchanges: Exchange,
    segment_id: str = "a1" * 8,
    start_ns: int = A_NS,
    ids: Sequence[str] = (),
    name: str = "GET /orders/{id}",
    **fields: Any,
) -> Segment:
    given: dict[str, Any] = {
        "process": process(),
        "complete": True,
        "spans": (span(segment_id, start_ns, name=name),),
        "entry": Entry("http.server", name, "200"),
        "generated": tuple(Generated("uuid4", "shop:new", index, value) for index, value in enumerate(ids)),
        **fields,
    }
    return Segment("7f3a91c2" + "0" * 24, segment_id, exchanges=exchanges, **given)


def a(*segments: Segment) -> Cassette:
    return Cassette("7f3a91c2" + "0" * 24, segments)


def b(*segments: Segment) -> Cassette:
    return Cassette("8b2c3d4e" + "0" * 24, segments)


def in_a(*exchanges: Exchange, **fields: Any) -> Cassette:
    return a(segment(*exchanges, **fields))


def in_b(*exchanges: Exchange, **fields: Any) -> Cassette:
    """A day later, by another process."""
    given = {"segment_id": "c3" * 8, "start_ns": B_NS, "process": process("8b"), **fields}
    return b(segment(*exchanges, **given))


def one(was: Cassette, now: Cassette) -> SegmentDiff:
    (found,) = compare(was, now).segments
    return found


def answers(was: Exchange, now: Exchange) -> Sequence[Differs]:
    found = one(in_a(was), in_b(now))
    return found.requests[0].answer if found.requests else ()


def reasons(found: SegmentDiff) -> dict[str, str]:
    return {each.path: each.reason for each in found.ignored}
