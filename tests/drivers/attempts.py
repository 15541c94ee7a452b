"""A task that is tried twice in one process and one trace, while PostgreSQL and MongoDB are down: two segments."""

from __future__ import annotations

from typing import Any

import psycopg
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from pymongo import MongoClient
from pymongo.errors import ServerSelectionTimeoutError

SENDER = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def attempt(client: MongoClient[Any]) -> None:
    try:
        psycopg.connect("host=127.0.0.1 port=1 user=app dbname=shop")
    except psycopg.OperationalError:
        pass
    try:
        client.shop.orders.find_one()
    except ServerSelectionTimeoutError:
        pass


def main() -> None:
    context = set_span_in_context(NonRecordingSpan(SENDER))
    with MongoClient[Any]("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300") as client:
        for _ in range(2):
            with trace.get_tracer("tests").start_as_current_span("charge", context, kind=SpanKind.CONSUMER):
                attempt(client)


if __name__ == "__main__":
    main()
