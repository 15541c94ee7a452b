"""Batches -> redacted parts of a cassette -> the store. Imported with the first batch, for what it imports."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import format_span_id, format_trace_id

from timetracer_otel.capture import process
from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.segments import EnvironmentBatch, SegmentBatch
from timetracer_otel.cassette import (
    Connection,
    EnvironmentPart,
    Exchange,
    Part,
    Payload,
    Process,
    Signature,
    compress,
    dump_environment,
    dump_exchange,
    part_pieces,
)
from timetracer_otel.cassette.values import dumps
from timetracer_otel.drivers import registry
from timetracer_otel.exporters.entries import ENTRIES, HTTP, entry_of
from timetracer_otel.exporters.ids import seen
from timetracer_otel.exporters.spans import SpanEncoder
from timetracer_otel.redaction import Redactor
from timetracer_otel.store import Store

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from timetracer_otel.capture.segments import Batch
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.config import Settings
    from timetracer_otel.drivers.base import Codec

NOT_ENCODED: Final = "encode"
CONNECTIONS_MAX: Final = 1_000
TRACES_MAX: Final = 256
"""Traces whose secrets are remembered for their later parts."""


class Encoder:
    """One per process; several threads may use it at once."""

    def __init__(self, settings: Settings) -> None:
        self._store = Store(settings.store)
        self._payload_max_bytes = settings.payload_max_bytes
        self._redactor = Redactor()
        self._of_traces: dict[int, Redactor] = {}
        self._spans = SpanEncoder(self._redactor)
        self._process: tuple[object, Process] = (None, Process(""))
        self._codecs = _codecs_in_use()
        self._connections: dict[int, tuple[Connection, Connection]] = {}
        self._resources: dict[int, tuple[Resource, Payload]] = {}
        self._identity()  # with all that it imports, while a fork waits for it (`Writer`)

    def save(self, batch: Batch) -> None:
        """Raises OSError if the store cannot be written."""
        if isinstance(batch, SegmentBatch):
            self._save_segment(batch)
        else:
            self._save_environment(batch)

    def _save_segment(self, batch: SegmentBatch) -> None:
        identity, losses = self._identity(), Counter(batch.dropped)
        redactor = self._redactor_of(batch.trace_id)
        texts, entries = self._exchanges(batch.exchanges, redactor, _start_ns(batch), identity.id[:8], losses)
        trace_id, root_id = format_trace_id(batch.trace_id), format_span_id(batch.root_id)
        spans = tuple(self._spans.encode(span) for span in batch.spans)
        root = next((span for span in spans if span.span_id == root_id), None)
        entry = None if root is None else entry_of(root, entries)
        part = Part(
            trace_id=trace_id,
            segment=root_id,
            process=identity,
            part=batch.part,
            complete=batch.complete,
            spans=spans,
            entry=entry,
            parent_segment=None if batch.parent_segment is None else format_span_id(batch.parent_segment),
            resource=self._resource(batch.spans[0].resource) if batch.spans else {},
            connections=self._redacted_connections(batch.connections),
            generated=seen(batch.generated, [*texts, (entry.outcome if entry else "").encode("utf-8", "replace")]),
            dropped=losses,
        )
        self._store.write_part(trace_id, root_id, identity.id, batch.part, part_pieces(part, texts))

    def _save_environment(self, batch: EnvironmentBatch) -> None:
        identity, losses = self._identity(), Counter(batch.dropped)
        texts, _ = self._exchanges(batch.exchanges, self._redactor, identity.started_ns, identity.id[:8], losses)
        part = EnvironmentPart(
            process=identity, part=batch.part, connections=self._redacted_connections(batch.connections), dropped=losses
        )
        self._store.write_environment(identity.id, batch.part, dump_environment(part, texts))

    # ---- exchanges ---------------------------------------------------------------------------------------------------

    def _exchanges(
        self, captured: Sequence[Captured], redactor: Redactor, start_ns: int, process8: str, losses: Counter[str]
    ) -> tuple[list[bytes], list[Exchange]]:
        """Each as JSON, and those that are entries. What cannot be encoded is counted, and stands there as a husk.

        Payloads are let go one by one: a thousand rows of the next answer then take the memory of the last ones.
        """
        texts, entries = [], []
        for one in captured:
            pair = self._exchange(one, redactor, start_ns, process8)
            if pair is None:
                losses[NOT_ENCODED] += 1
                pair = _husk(one, start_ns, process8)
            exchange, text = pair
            texts.append(text)
            if exchange.type in ENTRIES:
                entries.append(exchange)
        return texts, entries

    @guarded("encode")
    def _exchange(self, captured: Captured, redactor: Redactor, start_ns: int, process8: str) -> tuple[Exchange, bytes]:
        codec = self._codec(captured.driver)
        encoded, redacted = codec.redact(codec.encode(captured), redactor)
        exchange = Exchange(
            id=f"{process8}-{captured.number}",
            type=encoded.type,
            signature=Signature(encoded.lib, encoded.method, encoded.url),
            request=encoded.request,
            result=encoded.result,
            rev=captured.rev,
            span_id=_span_id(captured),
            complete=captured.complete,
            target=encoded.target,
            connection=captured.connection,
            transaction=captured.transaction,
            at_ns=max(0, captured.opened_ns - start_ns),
            duration_ns=_duration_ns(captured),
            dropped=_dropped(captured),
            redacted=redacted,
        )
        text = dump_exchange(exchange, encoded.is_plain)
        if captured.dropped is not None and len(text) > self._payload_max_bytes:  # it was the request that is so large
            exchange = replace(exchange, request={}, redacted=())
            text = dump_exchange(exchange)
        return exchange, text

    def _redactor_of(self, trace_id: int) -> Redactor:
        """That of the trace, for its later parts too: it remembers the secrets of the request."""
        found = self._of_traces.get(trace_id)
        if found is None:
            if len(self._of_traces) >= TRACES_MAX:
                # Copied first: other threads write parts too, and a dict may not change while it is walked over.
                oldest, *_ = self._of_traces.copy()
                self._of_traces.pop(oldest, None)
            found = self._of_traces.setdefault(trace_id, self._redactor.of_trace())
        return found

    def _codec(self, driver: str) -> Codec:
        found = self._codecs.get(driver)
        if found is None:
            found = self._codecs[driver] = registry.codec(driver)
        return found

    # ---- what is the same for all parts ------------------------------------------------------------------------------

    def _identity(self) -> Process:
        """Looked up again when the app has changed `argv` or `sys.path` since: servers do while they start."""
        key = (process.process_id(), tuple(sys.argv), tuple(sys.path))
        known, identity = self._process
        if known != key:
            identity = self._redacted_process(process.identity())
            self._process = (key, identity)
        return identity

    def _redacted_process(self, identity: Process) -> Process:
        argv = self._redactor.value(list(identity.argv), "argv")[0]
        return replace(identity, argv=tuple(str(word) for word in argv) if isinstance(argv, list) else ())

    def _resource(self, resource: Resource) -> Payload:
        known = self._resources.get(id(resource))
        if known is None or known[0] is not resource:
            known = self._resources[id(resource)] = (resource, self._spans.attributes(resource.attributes))
        return known[1]

    def _redacted_connections(self, connections: Sequence[Connection]) -> tuple[Connection, ...]:
        return tuple(self._redacted_connection(connection) for connection in connections)

    def _redacted_connection(self, connection: Connection) -> Connection:
        known = self._connections.get(connection.number)
        if known is None or known[0] is not connection:
            target, parameters = self._spans.text(connection.target), self._spans.attributes(connection.parameters)
            known = (connection, replace(connection, target=target, parameters=parameters))
            if len(self._connections) >= CONNECTIONS_MAX:
                self._connections = {}
            self._connections[connection.number] = known
        return known[1]


def _codecs_in_use() -> dict[str, Codec]:
    """Those of the drivers that are in; with them all that is imported late, while a fork waits for it (`Writer`)."""
    compress(dumps(None))
    return {
        name: registry.codec(name)
        for name, driver in registry.DRIVERS.items()
        if f"{driver.module}.record" in sys.modules
    }


def _start_ns(batch: SegmentBatch) -> int:
    return batch.root_start_ns or min((span.start_time or 0 for span in batch.spans), default=0)


def _span_id(captured: Captured) -> str | None:
    return None if captured.span_id is None else format_span_id(captured.span_id)


def _duration_ns(captured: Captured) -> int:
    return max(0, captured.closed_ns - captured.opened_ns)


def _dropped(captured: Captured) -> Payload | None:
    return None if captured.dropped is None else {"reason": captured.dropped, "size": captured.size}


def _husk(captured: Captured, start_ns: int, process8: str) -> tuple[Exchange, bytes]:
    """An exchange of which only this is left: that it took place, where and when."""
    is_entry = registry.DRIVERS[captured.driver].is_entry if captured.driver in registry.DRIVERS else False
    exchange = Exchange(
        id=f"{process8}-{captured.number}",
        type=HTTP if is_entry else "unknown",
        signature=Signature(captured.driver, "", ""),
        request={},
        result={},
        rev=captured.rev,
        span_id=_span_id(captured),
        complete=False,
        connection=captured.connection,
        transaction=captured.transaction,
        at_ns=max(0, captured.opened_ns - start_ns),
        duration_ns=_duration_ns(captured),
        dropped={"reason": NOT_ENCODED, "size": captured.size},
    )
    return exchange, dump_exchange(exchange)
