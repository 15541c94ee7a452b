"""Model -> document: the one schema, as plain values that `values.dumps` writes. `load` is the way back.

Every field is written under its own name; `docs/cassette-format.md` lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from timetracer_otel.cassette.model import (
    FORMAT,
    Acquire,
    Cassette,
    Connection,
    Entry,
    Environment,
    Exchange,
    Generated,
    Process,
    Segment,
    Signature,
    Span,
    SpanEvent,
    SpanLink,
    Value,
)
from timetracer_otel.cassette.part import EnvironmentPart, Part

Document: TypeAlias = dict[str, Value]


def part_document(part: Part) -> Document:
    """Without the exchanges: `dump` appends them."""
    return {
        "timetracer": FORMAT,
        "trace_id": part.trace_id,
        "part": part.part,
        **_segment_head(part.segment, part),
        "process": process_document(part.process),
    }


def environment_part_document(part: EnvironmentPart) -> Document:
    """Without the exchanges: `dump` appends them."""
    return {
        "timetracer": FORMAT,
        "part": part.part,
        "process": process_document(part.process),
        "connections": [connection_document(connection) for connection in part.connections],
        "dropped": part.dropped,
    }


def cassette_document(cassette: Cassette) -> Document:
    """A bundle. Each process stands once, in `processes`; segments and environments name it by id."""
    return {
        "timetracer": FORMAT,
        "trace_id": cassette.trace_id,
        "segments": [_segment_document(segment) for segment in cassette.segments],
        "environments": [_environment_document(environment) for environment in cassette.environments.values()],
        "processes": [process_document(process) for process in _processes(cassette).values()],
    }


def exchange_document(exchange: Exchange) -> Document:
    document: Document = {
        "id": exchange.id,
        "rev": exchange.rev,
        "span_id": exchange.span_id,
        "type": exchange.type,
        "complete": exchange.complete,
        "signature": _signature_document(exchange.signature),
        "target": exchange.target,
        "connection": exchange.connection,
        "transaction": exchange.transaction,
        "at_ns": exchange.at_ns,
        "duration_ns": exchange.duration_ns,
        "request": exchange.request,
        "result": exchange.result,
    }
    if exchange.dropped is not None:
        document["dropped"] = exchange.dropped
    if exchange.redacted:
        document["redacted"] = exchange.redacted
    return document


def process_document(process: Process) -> Document:
    return {
        "id": process.id,
        "parent": process.parent,
        "host": process.host,
        "pid": process.pid,
        "started_ns": process.started_ns,
        "argv": process.argv,
        "cwd": process.cwd,
        "sys_path": process.sys_path,
        "hash_seed": process.hash_seed,
        "python": process.python,
        "packages": process.packages,
        "variables": process.variables,
    }


def connection_document(connection: Connection) -> Document:
    return {
        "number": connection.number,
        "driver": connection.driver,
        "target": connection.target,
        "parameters": connection.parameters,
    }


def span_document(span: Span) -> Document:
    document: Document = {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "remote_parent": span.remote_parent,
        "name": span.name,
        "kind": span.kind,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "status": span.status,
        "status_description": span.status_description,
        "scope": span.scope,
        "scope_version": span.scope_version,
        "trace_state": span.trace_state,
        "attributes": span.attributes,
        "events": [_event_document(event) for event in span.events],
        "links": [_link_document(link) for link in span.links],
    }
    if span.scope_schema_url:
        document["scope_schema_url"] = span.scope_schema_url
    if span.scope_attributes:
        document["scope_attributes"] = span.scope_attributes
    if span.dropped:
        document["dropped"] = span.dropped
    return document


def _segment_head(segment_id: str, source: Part | Segment) -> Document:
    return {
        "segment": segment_id,
        "complete": source.complete,
        "parent_segment": source.parent_segment,
        "entry": None if source.entry is None else _entry_document(source.entry),
        "resource": source.resource,
        **({"resource_schema_url": source.resource_schema_url} if source.resource_schema_url else {}),
        "connections": [connection_document(connection) for connection in source.connections],
        "spans": [span_document(span) for span in source.spans],
        "generated": [_generated_document(generated) for generated in source.generated],
        "pools": [_acquire_document(acquire) for acquire in source.pools],
        "dropped": source.dropped,
    }


def _segment_document(segment: Segment) -> Document:
    return {
        **_segment_head(segment.id, segment),
        "parts": segment.parts,
        "process": segment.process.id,
        "exchanges": _exchange_documents(segment.exchanges),
    }


def _environment_document(environment: Environment) -> Document:
    return {
        "process": environment.process.id,
        "connections": [connection_document(connection) for connection in environment.connections],
        "dropped": environment.dropped,
        "exchanges": _exchange_documents(environment.exchanges),
    }


def _exchange_documents(exchanges: Iterable[Exchange]) -> list[Value]:
    return [exchange_document(exchange) for exchange in exchanges]


def _processes(cassette: Cassette) -> Mapping[str, Process]:
    owners: list[Segment | Environment] = [*cassette.segments, *cassette.environments.values()]
    return {owner.process.id: owner.process for owner in owners}


def _entry_document(entry: Entry) -> Document:
    return {"type": entry.type, "name": entry.name, "outcome": entry.outcome, "app": entry.app}


def _signature_document(signature: Signature) -> Document:
    return {"lib": signature.lib, "method": signature.method, "url": signature.url}


def _generated_document(generated: Generated) -> Document:
    return {"kind": generated.kind, "site": generated.site, "index": generated.index, "value": generated.value}


def _acquire_document(acquire: Acquire) -> Document:
    document: Document = {
        "driver": acquire.driver,
        "pool": acquire.pool,
        "span_id": acquire.span_id,
        "connection": acquire.connection,
        "at_ns": acquire.at_ns,
        "wait_ns": acquire.wait_ns,
        "size": acquire.size,
        "max_size": acquire.max_size,
        "idle": acquire.idle,
        "waiting": acquire.waiting,
        "error": acquire.error,
    }
    return {**document, "message": acquire.message} if acquire.message else document


def _event_document(event: SpanEvent) -> Document:
    document: Document = {"name": event.name, "at_ns": event.at_ns, "attributes": event.attributes}
    return {**document, "dropped": event.dropped} if event.dropped else document


def _link_document(link: SpanLink) -> Document:
    document: Document = {
        "trace_id": link.trace_id,
        "span_id": link.span_id,
        "trace_state": link.trace_state,
        "attributes": link.attributes,
    }
    return {**document, "dropped": link.dropped} if link.dropped else document
