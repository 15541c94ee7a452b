"""What stands in the head of a part and is the same for many: process, resource, connections, all redacted once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import format_span_id

from timetracer_otel.capture import process
from timetracer_otel.cassette import Acquire, Connection, Payload, Process, dump_process, dump_resource

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from timetracer_otel.exporters.spans import SpanEncoder
    from timetracer_otel.redaction import Redactor

CONNECTIONS_MAX: Final = 1_000


class HeadEncoder:
    """One per process; several threads may use it at once."""

    def __init__(self, redactor: Redactor, spans: SpanEncoder) -> None:
        self._redactor, self._spans = redactor, spans
        self._process: tuple[object, Process] = (None, Process(""))
        self._process_text: tuple[Process | None, bytes] = (None, b"")
        self._connections: dict[int, tuple[Connection, Connection]] = {}
        self._resources: dict[int, tuple[Resource, Payload, bytes]] = {}

    def process(self) -> Process:
        """Looked up again when the app has changed `argv` or `sys.path` since: servers do while they start."""
        key = (process.process_id(), tuple(sys.argv), tuple(sys.path))
        known, identity = self._process
        if known != key:
            identity = self._redacted_process(process.identity())
            self._process = (key, identity)
        return identity

    def process_text(self, identity: Process) -> bytes:
        """That of `process`, as it stands in a part."""
        known, text = self._process_text
        if known is not identity:
            text = dump_process(identity)
            self._process_text = (identity, text)
        return text

    def resource(self, resource: Resource) -> Payload:
        return self._known(resource)[1]

    def resource_text(self, resource: Resource) -> bytes:
        """That of `resource`, as it stands in a part."""
        return self._known(resource)[2]

    def schema_url(self, resource: Resource) -> str:
        return self._spans.text(resource.schema_url or "")

    def pools(self, acquires: Sequence[tuple[int, Acquire]], start_ns: int) -> tuple[Acquire, ...]:
        """Each with the span under which it was made; times count from the start of the segment."""
        return tuple(
            replace(
                acquire,
                pool=self._spans.text(acquire.pool),
                message=self._spans.text(acquire.message),
                span_id=format_span_id(span_id),
                at_ns=max(0, acquire.at_ns - start_ns),
            )
            for span_id, acquire in acquires
        )

    def connections(self, connections: Sequence[Connection]) -> tuple[Connection, ...]:
        return tuple(self._redacted_connection(connection) for connection in connections)

    def _known(self, resource: Resource) -> tuple[Resource, Payload, bytes]:
        known = self._resources.get(id(resource))
        if known is None or known[0] is not resource:
            redacted = self._spans.attributes(resource.attributes)
            known = self._resources[id(resource)] = (resource, redacted, dump_resource(redacted))
        return known

    def _redacted_process(self, identity: Process) -> Process:
        argv = self._redactor.value(list(identity.argv), "argv")[0]
        return replace(identity, argv=tuple(str(word) for word in argv) if isinstance(argv, list) else ())

    def _redacted_connection(self, connection: Connection) -> Connection:
        known = self._connections.get(connection.number)
        if known is None or known[0] is not connection:
            target, parameters = self._spans.text(connection.target), self._spans.attributes(connection.parameters)
            known = (connection, replace(connection, target=target, parameters=parameters))
            if len(self._connections) >= CONNECTIONS_MAX:
                self._connections = {}
            self._connections[connection.number] = known
        return known[1]
