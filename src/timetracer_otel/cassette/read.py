"""Document -> model: each piece of a file read strictly, the way back from `document`. All raise ValueError."""

from __future__ import annotations

from typing import Final

from timetracer_otel.cassette.fields import Fields
from timetracer_otel.cassette.model import (
    Acquire,
    Connection,
    Entry,
    Exchange,
    Generated,
    Process,
    Signature,
    Span,
    SpanEvent,
    SpanLink,
)

TRACE_ID_DIGITS: Final = 32
SPAN_ID_DIGITS: Final = 16
PROCESS_ID_DIGITS: Final = 32

_KINDS: Final = frozenset({"INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"})
_STATUSES: Final = frozenset({"UNSET", "OK", "ERROR"})


def read_process(fields: Fields) -> Process:
    return Process(
        id=fields.hex("id", PROCESS_ID_DIGITS),
        parent=fields.optional_hex("parent", PROCESS_ID_DIGITS),
        host=fields.text("host", ""),
        pid=fields.integer("pid", 0),
        started_ns=fields.integer("started_ns", 0),
        argv=fields.texts("argv"),
        cwd=fields.text("cwd", ""),
        sys_path=fields.texts("sys_path"),
        hash_seed=fields.text("hash_seed", ""),
        python=fields.text("python", ""),
        packages=fields.text_map("packages"),
        variables=fields.text_map("variables"),
    )


def read_span(fields: Fields) -> Span:
    return Span(
        span_id=fields.hex("span_id", SPAN_ID_DIGITS),
        name=fields.text("name"),
        kind=fields.one_of("kind", _KINDS),
        start_ns=fields.integer("start_ns"),
        end_ns=fields.integer("end_ns"),
        parent_id=fields.optional_hex("parent_id", SPAN_ID_DIGITS),
        remote_parent=fields.flag("remote_parent", False),
        trace_state=fields.text("trace_state", ""),
        scope=fields.text("scope", ""),
        scope_version=fields.text("scope_version", ""),
        status=fields.one_of("status", _STATUSES, "UNSET"),
        status_description=fields.text("status_description", ""),
        attributes=fields.payload("attributes"),
        events=fields.objects("events", _event),
        links=fields.objects("links", _link),
        scope_schema_url=fields.text("scope_schema_url", ""),
        scope_attributes=fields.payload("scope_attributes"),
        dropped=fields.counts("dropped"),
    )


def _event(fields: Fields) -> SpanEvent:
    return SpanEvent(
        fields.text("name"), fields.integer("at_ns"), fields.payload("attributes"), fields.integer("dropped", 0)
    )


def _link(fields: Fields) -> SpanLink:
    return SpanLink(
        trace_id=fields.hex("trace_id", TRACE_ID_DIGITS),
        span_id=fields.hex("span_id", SPAN_ID_DIGITS),
        attributes=fields.payload("attributes"),
        trace_state=fields.text("trace_state", ""),
        dropped=fields.integer("dropped", 0),
    )


def read_exchange(fields: Fields) -> Exchange:
    return Exchange(
        id=fields.text("id"),
        type=fields.text("type"),
        signature=_signature(fields.object("signature")),
        request=fields.required_payload("request"),
        result=fields.required_payload("result"),
        rev=fields.integer("rev", 0),
        span_id=fields.optional_hex("span_id", SPAN_ID_DIGITS),
        complete=fields.flag("complete", True),
        target=fields.optional_text("target"),
        connection=fields.optional_integer("connection"),
        transaction=fields.optional_integer("transaction"),
        at_ns=fields.integer("at_ns", 0),
        duration_ns=fields.integer("duration_ns", 0),
        dropped=fields.optional_payload("dropped"),
        redacted=fields.texts("redacted"),
    )


def _signature(fields: Fields) -> Signature:
    return Signature(fields.text("lib"), fields.text("method"), fields.text("url"))


def read_entry(fields: Fields) -> Entry | None:
    entry = fields.optional_object("entry")
    if entry is None:
        return None
    return Entry(entry.text("type"), entry.text("name"), entry.text("outcome"), entry.optional_text("app"))


def read_connection(fields: Fields) -> Connection:
    return Connection(
        number=fields.integer("number"),
        driver=fields.text("driver"),
        target=fields.text("target"),
        parameters=fields.payload("parameters"),
    )


def read_acquire(fields: Fields) -> Acquire:
    return Acquire(
        driver=fields.text("driver"),
        pool=fields.text("pool", ""),
        span_id=fields.optional_hex("span_id", SPAN_ID_DIGITS),
        connection=fields.optional_integer("connection"),
        at_ns=fields.integer("at_ns", 0),
        wait_ns=fields.integer("wait_ns", 0),
        size=fields.integer("size", 0),
        max_size=fields.integer("max_size", 0),
        idle=fields.integer("idle", 0),
        waiting=fields.integer("waiting", 0),
        error=fields.optional_text("error"),
        message=fields.text("message", ""),
    )


def read_generated(fields: Fields) -> Generated:
    return Generated(fields.text("kind"), fields.text("site"), fields.integer("index"), fields.text("value"))
