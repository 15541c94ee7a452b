"""Spans of the SDK -> JSON, byte for byte that of `SpanEncoder`, much faster: most spans hold nothing to be masked.

All spans of a part are read as they are, and one look is taken at all their texts. What is out of the ordinary, or may
hold a secret, goes the long way; the other spans of the part do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk import trace

from timetracer_otel.cassette import dump_spans
from timetracer_otel.exporters.spans import SpanEncoder, copied

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from timetracer_otel.cassette.document import Document
    from timetracer_otel.redaction import Redactor

_KNOWN: Final = frozenset[type]({trace.ReadableSpan, trace._Span})
"""A class of somebody else may say something else by its properties than what lies in the fields."""
_FLAT: Final = frozenset[type]({bool, int, str, NoneType})
"""No float: JSON has no NaN."""
_OTHER_TEXTS: Final = ("name", "status_description", "trace_state")


class QuickSpans:
    """One per process, beside the encoder; threads may share it."""

    def __init__(self, encoder: SpanEncoder) -> None:
        self._encoder = encoder

    def dump(self, spans: Sequence[ReadableSpan], redactor: Redactor) -> bytes:
        """The JSON array of what `encoder.encode(span, redactor)` gives for each. Raises Unconvertible."""
        encode, found = self._encoder.encode, zip(spans, self._documents(spans, redactor), strict=True)
        try:
            return dump_spans([encode(span, redactor) if quick is None else quick for span, quick in found])
        except TypeError:  # a lone surrogate, an integer beyond 64 bits
            return dump_spans([encode(span, redactor) for span in spans])

    def _documents(self, spans: Sequence[ReadableSpan], redactor: Redactor) -> list[Document | None]:
        """None for each that must go the long way."""
        values: list[object] = []
        found = [self._try(span, values) if type(span) in _KNOWN else None for span in spans]
        if not _FLAT.issuperset(map(type, values)):
            found = [document if document is None or _is_flat(document) else None for document in found]
        texts = self._unknown(values, redactor)
        if texts and redactor.suspicious("\0".join(texts)):
            return [None if document is None or _is_suspicious(document, redactor) else document for document in found]
        self._encoder.remember(texts)
        return found

    def _unknown(self, values: Iterable[object], redactor: Redactor) -> list[str]:
        """Texts that may hold a secret; all of them, where the trace has told us some."""
        texts = [value for value in values if type(value) is str]
        return texts if redactor.known() else self._encoder.unknown(texts)

    def _try(self, span: ReadableSpan, values: list[object]) -> Document | None:
        try:
            return self._document(span, values)
        except AttributeError:  # a span of which the app has set a part itself
            return None

    def _document(self, span: ReadableSpan, values: list[object]) -> Document | None:
        """As `span_document` of what `encode` gives; what needs a look is added to `values`.

        By the private fields of the SDK, which have had these names since its first release: a property takes ten
        times as long.
        """
        context, parent, scope, status = span._context, span._parent, span._instrumentation_scope, span._status
        name, description = span._name, status._description
        if context is None or type(name) is not str or span._events or span._links:
            return None
        attributes = copied(span._attributes) if span._attributes else {}
        if attributes and not self._is_open(attributes):
            return None
        state = context.trace_state.to_header() if context.trace_state else ""
        values += attributes.values()
        values += (name, description, state) if description or state else (name,)
        return {
            "span_id": f"{context.span_id:016x}",
            "parent_id": None if parent is None else f"{parent.span_id:016x}",
            "remote_parent": parent is not None and parent.is_remote,
            "name": name,
            "kind": span._kind._name_,
            "start_ns": span._start_time or 0,
            "end_ns": span._end_time or 0,
            "status": status._status_code._name_,
            "status_description": description or "",
            "scope": "" if scope is None else scope._name,
            "scope_version": "" if scope is None else scope._version or "",
            "trace_state": state,
            "attributes": attributes,
            "events": (),
            "links": (),
        }

    def _is_open(self, attributes: Mapping[str, Any]) -> bool:
        """No name among them says that its value is secret, nor does a statement."""
        names = self._encoder.statements_of(tuple(attributes))
        if names is None:
            return False
        for name in names:  # noqa: SIM110 - all() takes twice the time
            if not self._encoder.is_open_statement(attributes[name]):
                return False
        return True


def _is_flat(document: Document) -> bool:
    attributes = document["attributes"]
    return isinstance(attributes, Mapping) and _FLAT.issuperset(map(type, attributes.values()))


def _is_suspicious(document: Document, redactor: Redactor) -> bool:
    attributes = document["attributes"]
    values = [document[name] for name in _OTHER_TEXTS]
    if isinstance(attributes, Mapping):
        values += attributes.values()
    return redactor.suspicious("\0".join(value for value in values if isinstance(value, str)))
