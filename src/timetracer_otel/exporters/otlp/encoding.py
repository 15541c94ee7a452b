"""Parts of a cassette -> OTLP spans: recorded ones with the payloads that belong to them, and ours for all else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from timetracer_otel.cassette import EnvironmentPart, Exchange, Part, Payload, Process, Span
from timetracer_otel.cassette.document import environment_part_document, exchange_document, part_document
from timetracer_otel.exporters.entries import ENTRIES
from timetracer_otel.exporters.otlp import names
from timetracer_otel.exporters.otlp.attributes import Shown, shown_text
from timetracer_otel.exporters.otlp.records import Put, made_id, mark, put_record, text_attribute
from timetracer_otel.exporters.otlp.span_messages import SAMPLED, clock, span_message
from timetracer_otel.exporters.otlp.texts import dump_text

SERVICE: Final = "service.name"
UNKNOWN_SERVICE: Final = "unknown_service"
_CARRIERS: Final = frozenset({"CLIENT", "PRODUCER"})
"""Kinds of spans that stand for one request: its exchange is on the span itself, and not on one below it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation that made a span."""

    name: str
    version: str = ""
    schema_url: str = ""
    attributes: Payload = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Equal for equal scopes."""
        return self.name, self.version, self.schema_url, repr(self.attributes)


OUR_SCOPE: Final = Scope("timetracer")


@dataclass(frozen=True, slots=True)
class Scoped:
    """One OTLP span and whose it is."""

    span: SpanMessage
    resource: Payload
    scope: Scope = OUR_SCOPE
    resource_schema_url: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What a part may not say itself."""

    start_ns: int | None = None
    """When its segment began."""
    resource: Payload = field(default_factory=dict)
    is_whole: bool = False
    """The first part of the segment has everything; else each has what came up since the one before."""


NOWHERE: Final = Place()


def encode_part(part: Part, place: Place = NOWHERE, put: Put | None = None) -> list[Scoped]:
    """The spans of one part of a segment. `put` stores payloads above 1 MiB outside. Raises Unconvertible."""
    return list(_PartEncoder(part, place, put).spans())


def encode_environment(
    part: EnvironmentPart, trace_id: str, parent_id: str, resource: Payload, put: Put | None = None
) -> list[Scoped]:
    """The spans of an environment's part, below a span of the trace that needs it. Raises Unconvertible."""
    parent = Parent(trace_id, parent_id, part.process.started_ns)
    text = dump_text({"part": environment_part_document(part), "exchanges": len(part.exchanges)})
    head = _made(parent, f"environment of process {part.process.id[:8]}", part.process.started_ns, 1)
    head.span_id = made_id(trace_id, part.process.id, "environment", str(part.part))
    mark(head, names.ENVIRONMENT_SPAN)
    made = [head, *put_record(head, names.HEAD, text)]
    below = Parent(trace_id, head.span_id.hex(), part.process.started_ns)
    for exchange in part.exchanges:
        made += _exchange_spans(exchange, below, part.process, put)
    for span in made:
        span.attributes.append(text_attribute(names.PROCESS, part.process.id))
    return [Scoped(span, resource) for span in made]


@dataclass(frozen=True, slots=True)
class Parent:
    """Under which span the ones that we make stand, and from when on exchanges count their time."""

    trace_id: str
    span_id: str
    start_ns: int


class _PartEncoder:
    def __init__(self, part: Part, place: Place, put: Put | None) -> None:
        self._part, self._put = part, put
        self._is_whole = place.is_whole
        self._resource = part.resource or place.resource
        self._schema_url = shown_text(part.resource_schema_url)
        self._start_ns = place.start_ns if place.start_ns is not None else _start_ns(part)
        self._own = _carried(part)

    def spans(self) -> Iterator[Scoped]:
        has_root = False
        for span in self._part.spans:
            has_root = has_root or span.span_id == self._part.segment
            yield from self._recorded(span)
        if not has_root:
            yield from self._without_root()
        carried = {id(exchange) for exchange in self._own.values()}
        for exchange in self._part.exchanges:
            if id(exchange) not in carried:
                parent = Parent(self._part.trace_id, exchange.span_id or self._part.segment, self._start_ns)
                yield from self._ours(_exchange_spans(exchange, parent, self._part.process, self._put))

    def _recorded(self, span: Span) -> Iterator[Scoped]:
        message, residue = span_message(self._part.trace_id, span)
        self._sign(message)
        below: list[SpanMessage] = []
        if span.span_id == self._part.segment:
            below += self._put_head(message)
        if (exchange := self._own.get(span.span_id)) is not None:
            below += _put_exchange(message, exchange, self._put)
        below += put_record(message, names.RESIDUE, dump_text(residue))
        yield Scoped(message, self._resource, _scope(span), self._schema_url)
        yield from self._ours(below)

    def _without_root(self) -> Iterator[Scoped]:
        part = self._part
        parent = Parent(part.trace_id, part.segment, self._start_ns)
        message = _made(parent, f"part {part.part} of segment {part.segment[:8]}", self._start_ns, 1)
        message.span_id = made_id(part.trace_id, part.segment, part.process.id, "head", str(part.part))
        mark(message, names.HEAD_SPAN)
        yield from self._ours([message, *self._put_head(message)])

    def _put_head(self, message: SpanMessage) -> list[SpanMessage]:
        part = self._part
        # Counts go with it, so that nobody takes half of the spans for all.
        message.attributes.append(text_attribute(names.RECORDED, "true"))
        if part.entry is not None:
            message.attributes.append(text_attribute(names.ENTRY, shown_text(part.entry.type)))
            message.attributes.append(text_attribute(names.OUTCOME, shown_text(part.entry.outcome)))
        counts = {"spans": len(part.spans), "exchanges": len(part.exchanges), "whole": self._is_whole}
        text = dump_text({"part": part_document(_without_content(part)), **counts})
        return put_record(message, names.HEAD, text)

    def _ours(self, messages: Iterable[SpanMessage]) -> Iterator[Scoped]:
        for message in messages:
            self._sign(message)
            yield Scoped(message, self._resource)

    def _sign(self, message: SpanMessage) -> None:
        message.attributes.append(text_attribute(names.SEGMENT, self._part.segment))
        message.attributes.append(text_attribute(names.PROCESS, self._part.process.id))


def _without_content(part: Part) -> Part:
    return Part(
        trace_id=part.trace_id,
        segment=part.segment,
        process=part.process,
        part=part.part,
        complete=part.complete,
        entry=part.entry,
        parent_segment=part.parent_segment,
        resource=part.resource,
        resource_schema_url=part.resource_schema_url,
        connections=part.connections,
        generated=part.generated,
        pools=part.pools,
        dropped=part.dropped,
    )


def _start_ns(part: Part) -> int:
    roots = [span.start_ns for span in part.spans if span.span_id == part.segment]
    starts = roots or [span.start_ns for span in part.spans]
    return min(starts, default=part.process.started_ns)


def _carried(part: Part) -> dict[str, Exchange]:
    """By span: the exchange that is on it. Of several the first one; an entry goes before what it asked for."""
    kinds = {span.span_id: span.kind for span in part.spans}
    own: dict[str, Exchange] = {}
    for exchange in sorted(part.exchanges, key=lambda each: each.type not in ENTRIES):
        owner = exchange.span_id
        if owner in kinds and owner not in own and (exchange.type in ENTRIES or kinds[owner] in _CARRIERS):
            own[owner] = exchange
    return own


def _exchange_spans(exchange: Exchange, parent: Parent, process: Process, put: Put | None) -> list[SpanMessage]:
    """A span for an exchange that has none of its own."""
    signature = exchange.signature
    name = " ".join(filter(None, (signature.lib, signature.method, signature.url)))
    message = _made(parent, shown_text(name), parent.start_ns + exchange.at_ns, exchange.duration_ns)
    message.span_id = made_id(parent.trace_id, process.id, exchange.id, str(exchange.rev))
    mark(message, names.EXCHANGE_SPAN)
    return [message, *_put_exchange(message, exchange, put)]


def _put_exchange(message: SpanMessage, exchange: Exchange, put: Put | None) -> list[SpanMessage]:
    document = exchange_document(exchange)
    request, result = document.pop("request"), document.pop("result")
    below = put_record(message, names.EXCHANGE, dump_text(document))
    for name, payload in ((names.REQUEST, request), (names.RESULT, result)):
        below += put_record(message, name, dump_text(payload if isinstance(payload, Mapping) else {}), put)
    return below


def _made(parent: Parent, name: str, start_ns: int, duration_ns: int) -> SpanMessage:
    return SpanMessage(
        trace_id=bytes.fromhex(parent.trace_id),
        parent_span_id=bytes.fromhex(parent.span_id),
        name=name,
        kind=SpanMessage.SPAN_KIND_INTERNAL,
        start_time_unix_nano=clock(start_ns),
        end_time_unix_nano=max(clock(start_ns + duration_ns), clock(start_ns) + 1),
        flags=SAMPLED,
    )


# ---- messages --------------------------------------------------------------------------------------------------------


def grouped(spans: Sequence[Scoped]) -> list[ResourceSpans]:
    """OTLP's own order: spans by scope, scopes by resource."""
    resources: list[tuple[Payload, ResourceSpans, dict[tuple[str, str, str, str], ScopeSpans]]] = []
    for one in spans:
        if not resources or resources[-1][0] is not one.resource:
            resources.append((one.resource, _resource_spans(one), {}))
        _, message, scopes = resources[-1]
        key = one.scope.key
        if key not in scopes:
            scopes[key] = message.scope_spans.add()
            _show_scope(one.scope, scopes[key])
        scopes[key].spans.append(one.span)
    return [message for _, message, _ in resources]


def _scope(span: Span) -> Scope:
    return Scope(
        shown_text(span.scope), shown_text(span.scope_version), shown_text(span.scope_schema_url), span.scope_attributes
    )


def _show_scope(scope: Scope, message: ScopeSpans) -> None:
    message.scope.name, message.scope.version, message.schema_url = scope.name, scope.version, scope.schema_url
    Shown().add(scope.attributes, message.scope.attributes)


def _resource_spans(one: Scoped) -> ResourceSpans:
    resource, message = one.resource, ResourceSpans(schema_url=one.resource_schema_url)
    Shown().add(
        resource if SERVICE in resource else {**resource, SERVICE: UNKNOWN_SERVICE}, message.resource.attributes
    )
    return message
