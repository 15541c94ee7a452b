"""The synthetic worst case: 300 exchanges, 6 MB of rows in one of them, 3,000 spans, every field that the model has and
every kind of value, among them what no backend keeps."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from tests.cassette import samples
from timetracer_otel.cassette import (
    Acquire,
    Cassette,
    Exchange,
    Generated,
    Part,
    Span,
    SpanEvent,
    SpanLink,
    Value,
    merge,
)

KINDS: Final = ("INTERNAL", "CLIENT", "PRODUCER", "CONSUMER", "SERVER")
ODD: Final[dict[str, Value]] = {
    "int": 2**60,
    "big": 2**70,
    "low": -(2**63),
    "bytes": b"\x00\xff",
    "lone": "\ud800",
    "\udfff": "a name",
    "none": None,
    "list": [1, "a", None, 2.5],
    "map": {"$a": {"b": b"\xff"}},
    "nan": math.nan,
    "zero": -0.0,
    "error": "mine",
}
"""What backends lose or change, the last one by its name."""
LONG: Final[dict[str, Value]] = {
    "long": "é" * 40_000,
    "": "no name",
    "timetracer.kind": "of the user",
    "flag": True,
    "f": 1.0,
    "n": 2**53 + 1,
}


def worst(spans_number: int = 3_000, rows_number: int = 12_500) -> Cassette:
    """Two processes, of which the second has all that is rare beside spans, and one environment."""
    exchanges = [replace(samples.query(number), span_id=f"{number * 4 + 1:016x}") for number in range(300)]
    exchanges[7] = replace(exchanges[7], result=_rows(rows_number))
    root = replace(samples.span(samples.ROOT_ID), remote_parent=True, parent_id="ab" * 8, kind="SERVER")
    spans = (root, *odd_spans(range(1, spans_number), samples.ROOT_ID))
    part = replace(samples.ROOT_PART, spans=spans, exchanges=tuple(exchanges))
    return merge(part.trace_id, [part, of_another_process()], [samples.ENVIRONMENT_PART])


def odd_spans(numbers: range, parent_id: str) -> list[Span]:
    """Their ids are their numbers."""
    return [_span(number, parent_id) for number in numbers]


def _span(number: int, parent_id: str) -> Span:
    start_ns = samples.START_NS + number
    is_odd, is_long = number % 500 == 1, number % 1000 == 1
    return Span(
        span_id=f"{number:016x}",
        name="name\ud800" if number == 9 else f"span {number}",
        kind=KINDS[number % 4] if number % 11 else KINDS[4],
        start_ns=start_ns,
        end_ns=start_ns + number % 3,
        parent_id=parent_id,
        scope=f"scope {number % 5}",
        scope_version="1.2",
        scope_schema_url="https://opentelemetry.io/schemas/1.24.0" if is_odd else "",
        scope_attributes=ODD if is_odd else {},
        trace_state="a=1,b=2" if number % 7 == 0 else "",
        status=("UNSET", "OK", "ERROR")[number % 3],
        status_description="why\ud800" if number == 5 else "",
        attributes={**ODD, **(LONG if is_long else {})} if is_odd else {"db.system": "postgresql", "number": number},
        events=(SpanEvent("exception", start_ns, {"exception.message": "é", **ODD}, 3),) if number % 50 == 0 else (),
        links=(SpanLink(samples.TRACE_ID, samples.ROOT_ID, ODD, "x=y", 4),) if number % 60 == 0 else (),
        dropped={"attributes": 1, "events": 2, "links": 3} if is_odd else {},
    )


def _rows(number: int) -> dict[str, Value]:
    row: Value = ["é\U0001f600'\"\\ " * 8] * 10
    return {"results": [{"values": [row] * number, "n": 2**60, "raw": b"\xfe" * 99}]}


def _rare() -> tuple[Exchange, ...]:
    none, odd, lost, late = (replace(samples.query(1), id=f"8e8e8e8e-{number}") for number in range(4))
    return (
        replace(none, span_id=None),
        replace(odd, request={**ODD, "float": 0.1}, result={"values": [ODD, LONG]}, redacted=("request.lone",)),
        replace(lost, result={}, dropped={"reason": "limit", "size": 2**33}, complete=False, target=None),
        replace(late, rev=2, transaction=7, connection=None, at_ns=2**55, signature=replace(late.signature, url="")),
    )


def of_another_process() -> Part:
    """With all that is rare beside spans."""
    segment, process = "c3" * 8, replace(samples.PROCESS, id="8e" * 16, parent=samples.PROCESS.id, argv=("\udcff",))
    pool = Acquire("psycopg", "main", 5, 2**54, 1, 10, 0, 2, span_id=segment, error="PoolTimeout")
    return Part(
        trace_id=samples.TRACE_ID,
        segment=segment,
        process=process,
        part=3,
        complete=False,
        spans=(replace(samples.span(segment), parent_id=samples.ROOT_ID),),
        exchanges=_rare(),
        parent_segment=samples.ROOT_ID,
        resource={"service.name": "shop", **ODD},
        resource_schema_url="https://opentelemetry.io/schemas/1.25.0",
        connections=(),
        generated=(Generated("uuid4", "shop/web.py:3", 0, "0" * 32),),
        pools=(pool,),
        dropped={"spans": 2},
    )
