"""A small trace by hand: two queries of one request in one process."""

from __future__ import annotations

from dataclasses import replace

from timetracer_otel.cassette import (
    Connection,
    Entry,
    EnvironmentPart,
    Exchange,
    Part,
    Process,
    Signature,
    Span,
)

TRACE_ID = "7f3a91c2" + "0" * 24
ROOT_ID = "a1" * 8
CHILD_ID = "b2" * 8
START_NS = 1_764_000_000_000_000_000
PROCESS = Process(id="9f" * 16, host="web-1", pid=41, argv=("uvicorn", "shop.web:app"), packages={"psycopg": "3.3.9"})


def span(span_id: str, start_ns: int = START_NS) -> Span:
    return Span(span_id, f"span {span_id[:2]}", "INTERNAL", start_ns, start_ns + 5_000_000)


def query(number: int, rev: int = 0, complete: bool = True, total: str = "12.50") -> Exchange:
    return Exchange(
        id=f"9f9f9f9f-{number}",
        type="db.query",
        signature=Signature("psycopg", "SELECT", "shop.orders"),
        request={"op": "query", "statement": "select total from orders where id = $1", "parameters": [b"\x00\xff"]},
        result={"results": [{"rows": 1, "values": [[total]], "tag": "SELECT 1"}], "tx": "I"},
        rev=rev,
        span_id=CHILD_ID,
        complete=complete,
        target="postgresql://app@db:5432/shop",
        connection=1,
        at_ns=number * 1000,
        duration_ns=500,
    )


ROOT_PART = Part(
    trace_id=TRACE_ID,
    segment=ROOT_ID,
    process=PROCESS,
    part=0,
    complete=True,
    spans=(span(CHILD_ID, START_NS + 1000), span(ROOT_ID)),
    exchanges=(query(1), query(2)),
    entry=Entry("http.server", "GET /orders/{id}", "500 KeyError: 'total'", "shop.web:app"),
    resource={"service.name": "shop"},
    connections=(Connection(1, "psycopg", "postgresql://app@db:5432/shop", {"server_version": 150018}),),
    dropped={"limit": 1},
)
ENVIRONMENT_PART = EnvironmentPart(process=PROCESS, part=0, exchanges=(replace(query(0), span_id=None),))


def part(number: int, **changes: object) -> Part:
    """A later part of the same segment, empty but for the changes."""
    empty = Part(trace_id=TRACE_ID, segment=ROOT_ID, process=PROCESS, part=number, complete=True)
    return replace(empty, **changes)  # type: ignore[arg-type]  # the fields of Part, by name
