"""A cassette once more through the rules: what leaves this machine, or comes to it, holds nothing that they mask.

It was redacted when it was recorded. Other rules may count here and now, and a stranger's may never have been.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from timetracer_otel.cassette import Cassette, Connection, Environment, Exchange, Payload, Process, Segment, Span, Value
from timetracer_otel.cassette.document import exchange_document
from timetracer_otel.cassette.values import DOCUMENT_DEPTH, dumps
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.exporters.spans import SpanEncoder
from timetracer_otel.redaction import Redactor, Rules, find_markers

_MISFIT: Final = (LookupError, TypeError, ValueError, AttributeError, struct.error, DamagedCassette)
"""What a codec raises on a payload that is not its own: of a stranger's trace, or one that was cut."""


def masked(cassette: Cassette, rules: Rules) -> Cassette:
    """The same, where nothing is left to mask."""
    return _Masking(Redactor(rules=rules).of_trace()).cassette(cassette)


class _Masking:
    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._encoder = SpanEncoder(redactor)

    def cassette(self, cassette: Cassette) -> Cassette:
        """Exchanges first: what they tell of secrets is masked in spans too."""
        environments = {key: self._environment(each) for key, each in cassette.environments.items()}
        segments = [replace(each, exchanges=self._exchanges(each.exchanges)) for each in cassette.segments]
        return replace(cassette, segments=tuple(map(self._segment, segments)), environments=environments)

    def _segment(self, segment: Segment) -> Segment:
        entry = segment.entry
        return replace(
            segment,
            process=self._process(segment.process),
            spans=tuple(map(self._span, segment.spans)),
            connections=tuple(map(self._connection, segment.connections)),
            resource=self._encoder.attributes(segment.resource),
            entry=entry and replace(entry, name=self._text(entry.name), outcome=self._text(entry.outcome)),
        )

    def _environment(self, environment: Environment) -> Environment:
        return replace(
            environment,
            process=self._process(environment.process),
            exchanges=self._exchanges(environment.exchanges),
            connections=tuple(map(self._connection, environment.connections)),
        )

    def _process(self, process: Process) -> Process:
        argv = self._redactor.value(list(process.argv), "argv")[0]
        return replace(process, argv=tuple(map(str, argv))) if isinstance(argv, list) else process

    def _connection(self, connection: Connection) -> Connection:
        parameters = self._encoder.attributes(connection.parameters)
        return replace(connection, target=self._text(connection.target), parameters=parameters)

    def _span(self, span: Span) -> Span:
        attributes = self._encoder.attributes
        return replace(
            span,
            name=self._text(span.name),
            status_description=self._text(span.status_description),
            trace_state=self._text(span.trace_state),
            attributes=attributes(span.attributes),
            events=tuple(replace(one, attributes=attributes(one.attributes)) for one in span.events),
            links=tuple(replace(one, attributes=attributes(one.attributes)) for one in span.links),
            scope_attributes=attributes(span.scope_attributes),
        )

    def _text(self, text: str) -> str:
        return self._encoder.text(text)

    def _exchanges(self, exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
        return tuple(map(self._exchange, exchanges))

    def _exchange(self, exchange: Exchange) -> Exchange:
        target = exchange.target and self._text(exchange.target)
        redactor = self._redactor.of_type(exchange.type)
        request, result, paths = _payloads(exchange, redactor)
        new = replace(
            exchange,
            target=target,
            request=request,
            result=result,
            redacted=tuple(dict.fromkeys((*exchange.redacted, *paths))),
        )
        return new if _says_more(exchange, new, paths) else exchange


def _payloads(exchange: Exchange, redactor: Redactor) -> tuple[Payload, Payload, Sequence[str]]:
    """As its codec masks them, and then by names and patterns alone."""
    signature, request, result = exchange.signature, exchange.request, exchange.result
    if signature.lib in registry.DRIVERS and request:
        plain = Encoded(exchange.type, signature.lib, signature.method, signature.url, request, result, exchange.target)
        try:
            encoded, found = registry.codec(signature.lib).redact(plain, redactor)
            return encoded.request, encoded.result, found
        except _MISFIT:
            pass
    both, found = redactor.value({"request": request, "result": result}, "")
    if not isinstance(both, Mapping):
        return {}, {}, found
    return _payload(both["request"]), _payload(both["result"]), [path.lstrip(".") for path in found]


def _payload(value: Value) -> Payload:
    return value if isinstance(value, Mapping) else {}


def _says_more(old: Exchange, new: Exchange, paths: Sequence[str]) -> bool:
    """Whether it masks what was open before. What stands for a secret in its own type is masked again each time, under
    another key: that is no news, and would make another cassette of the same."""
    if not set(paths) <= set(old.redacted):
        return True
    return not set(_markers(new)) <= set(_markers(old))


def _markers(exchange: Exchange) -> list[str]:
    return find_markers(dumps(exchange_document(exchange), DOCUMENT_DEPTH).decode())
