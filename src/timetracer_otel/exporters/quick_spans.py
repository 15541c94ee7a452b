"""Spans of the SDK -> JSON, byte for byte that of `SpanEncoder`, much faster: most spans hold nothing to be masked.

All spans of a part are read as they are, and one look is taken at all their texts. What is out of the ordinary, or may
hold a secret, goes the long way; the other spans of the part do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from operator import is_not, itemgetter
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace
from opentelemetry.sdk.util import BoundedList

from timetracer_otel.cassette import Span, dump_plain_spans, dump_spans, plain_span
from timetracer_otel.exporters.spans import SpanEncoder, copied

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceState

    from timetracer_otel.cassette import Payload, SpanEvent
    from timetracer_otel.cassette.document import Document
    from timetracer_otel.exporters.entries import Root
    from timetracer_otel.redaction import Redactor

_KNOWN: Final = frozenset[type]({trace.ReadableSpan, trace._Span})
"""A class of somebody else may say something else by its properties than what lies in the fields."""
_FLAT: Final = frozenset[type]({bool, int, str, NoneType})
"""No float: JSON has no NaN."""
_LISTED: Final = frozenset[type]({tuple, list})
_VALUES: Final = _FLAT | _LISTED
_BOUNDED: Final = frozenset[type]({BoundedList})
_OTHER_TEXTS: Final = ("name", "status_description", "trace_state")
_SPAN_ID: Final = 1
_TRACE_STATE: Final = 4
"""Of a span's context, which is a tuple; its properties take as long as all the rest of it."""


class QuickSpans:
    """One per process, beside the encoder; threads may share it."""

    def __init__(self, encoder: SpanEncoder) -> None:
        self._encoder = encoder

    def dump(
        self, spans: Sequence[ReadableSpan], redactor: Redactor, root_at: int | None = None
    ) -> tuple[bytes, Root | None]:
        """The JSON array of what `encoder.encode(span, redactor)` gives for each, and the span at that place.

        Raises Unconvertible.
        """
        encode, long = self._encoder.encode, dict[int, Span]()
        documents: list[Any] = self._documents(spans, redactor)
        if not all(documents):
            long = {at: encode(spans[at], redactor) for at, document in enumerate(documents) if document is None}
        root = None if root_at is None else long.get(root_at % len(spans)) or _root_of(documents[root_at])
        try:
            for at, span in long.items():
                documents[at] = plain_span(span)
            return dump_plain_spans(documents), root
        except TypeError:  # a lone surrogate, an integer beyond 64 bits
            return dump_spans([encode(span, redactor) for span in spans]), root

    def _documents(self, spans: Sequence[ReadableSpan], redactor: Redactor) -> list[Document | None]:
        """None for each that must go the long way."""
        reading = _Reading()
        found = reading.documents(spans)
        if not self._encoder.are_open(reading.attributes):
            found = [document if document and self._is_open(document) else None for document in found]
            reading.values = [value for document in found if document for value in _values_of(document)]
        if not _FLAT.issuperset(map(type, reading.values)):
            found = [document and self._spread(document, reading.values, redactor) for document in found]
        if known := redactor.known():
            found = [None if document is None or _holds(document, known) else document for document in found]
        texts = self._texts(reading.values, redactor)
        if texts and redactor.suspicious("\0".join(texts)):
            return [None if document is None or _is_suspicious(document, redactor) else document for document in found]
        self._encoder.remember(texts)
        return found

    def _is_open(self, document: Document) -> bool:
        return self._encoder.are_open([cast("dict[str, Any]", document["attributes"])])

    def _spread(self, document: Document, seen: list[object], redactor: Redactor) -> Document | None:
        """With sequences as lists, whose items are `seen` as well; None if anything else is not flat."""
        attributes = cast("dict[str, Any]", document["attributes"])
        lists = {name: list(value) for name, value in attributes.items() if type(value) in _LISTED}
        items = [item for each in lists.values() for item in each]
        if not (_FLAT.issuperset(map(type, items)) and _VALUES.issuperset(map(type, attributes.values()))):
            return None
        if lists and (redactor.has_places or self._encoder.tells(tuple(attributes)) or any(map(_is_option, items))):
            return None
        attributes.update(lists)
        seen += items
        return document

    def _texts(self, values: Sequence[object], redactor: Redactor) -> list[str]:
        """Those that may hold a secret; all of them, where the trace has told us some."""
        return [value for value in values if type(value) is str] if redactor.known() else self._encoder.unknown(values)


class _Reading:
    """The spans of one part while they are read; what siblings share is read and looked at once."""

    __slots__ = (
        *("_code", "_description", "_first", "_has_scope_attributes", "_kind", "_parent", "_scope", "_state"),
        *("_values", "attributes", "values"),
    )

    def __init__(self) -> None:
        self._first: Document = {"name": None}  # the name of no span
        """What the last span and its siblings have in common."""
        self._scope: InstrumentationScope | None = None
        self._parent: SpanContext | None = None
        self._state: TraceState | None = None
        self._kind: SpanKind | None = None
        self._code: StatusCode | None = None
        self._description: str | None = None
        self._has_scope_attributes = False
        self._values: list[object] = []
        """The attributes' values of the last span."""
        self.attributes: list[dict[str, Any]] = []
        """Those of the documents."""
        self.values: list[object] = []
        """All in the documents which need a look; what a sibling has as well, the same object, stands there once."""

    def documents(self, spans: Sequence[ReadableSpan]) -> list[Document | None]:
        """As `span_document` of what `encode` gives, for each; None if something is out of the ordinary."""
        found: list[Document | None] = []
        for span in spans:
            try:
                found.append(self._document(span) if type(span) in _KNOWN else None)
            except (AttributeError, OverflowError):  # a span of which the app has set a part itself
                found.append(None)
        return found

    def _document(self, span: ReadableSpan) -> Document | None:
        """By the private fields of the SDK, which have had these names since its first release: a property takes ten
        times as long.
        """
        context, name, status, attributes = span._context, span._name, span._status, span._attributes
        events: Any = span._events
        links: Any = span._links
        if context is None or type(name) is not str:
            return None
        # Whether a BoundedList is empty, a function of Python's would say.
        if (events._dq or events.dropped) if type(events) in _BOUNDED else (events or getattr(events, "dropped", 0)):
            return None
        if (links._dq or links.dropped) if type(links) in _BOUNDED else (links or getattr(links, "dropped", 0)):
            return None
        plain: Any  # a dict; `cast` would be one more call
        if type(attributes) is BoundedAttributes:
            if attributes.dropped:
                return None
            plain = attributes._dict.copy()
        else:
            plain = copied(attributes or {})
        scope, parent, state = span._instrumentation_scope, span._parent, context[_TRACE_STATE]
        kind, code, description = span._kind, status._status_code, status._description
        if not (  # written out: `all` and `map` take three times as long
            name == self._first["name"]
            and scope is self._scope
            and parent is self._parent
            and state is self._state
            and kind is self._kind
            and code is self._code
            and description is self._description
        ):
            self._begin(name, scope, parent, state, kind, code, description)
        if self._has_scope_attributes:
            return None
        self.attributes.append(plain)
        values: list[object] = [*plain.values()]
        is_alike = len(values) == len(self._values)
        self.values += compress(values, map(is_not, values, self._values)) if is_alike else values
        self._values = values
        document = self._first.copy()
        document["span_id"] = context[_SPAN_ID].to_bytes(8, "big").hex()
        document["start_ns"] = span._start_time or 0
        document["end_ns"] = span._end_time or 0
        document["attributes"] = plain
        return document

    def _begin(
        self,
        name: str,
        scope: InstrumentationScope | None,
        parent: SpanContext | None,
        state: TraceState | None,
        kind: SpanKind,
        code: StatusCode,
        description: str | None,
    ) -> None:
        """Reads what the siblings of this span have as well. Nothing is changed if something in it cannot be read."""
        header = state.to_header() if state else ""
        document: Document = {
            "span_id": "",
            "parent_id": None if parent is None else parent.span_id.to_bytes(8, "big").hex(),
            "remote_parent": parent is not None and parent.is_remote,
            "name": name,
            "kind": kind._name_,
            "start_ns": 0,
            "end_ns": 0,
            "status": code._name_,
            "status_description": description or "",
            "scope": "" if scope is None else scope.name,
            "scope_version": "" if scope is None else scope.version or "",
            "trace_state": header,
            "attributes": {},
            "events": (),
            "links": (),
        }
        if scope is not None and scope.schema_url:
            document["scope_schema_url"] = scope.schema_url
        self._has_scope_attributes = bool(getattr(scope, "attributes", None))
        self._first, self._values = document, []
        self._scope, self._parent, self._state = scope, parent, state
        self._kind, self._code, self._description = kind, code, description
        self.values += (name, description, header)


class _Root(NamedTuple):
    """Implements `entries.Root`. A Span has four times the fields, each with a call to set it."""

    span_id: str
    name: str
    status: str
    status_description: str
    attributes: Payload
    events: tuple[SpanEvent, ...]


_ROOT: Final = itemgetter(*_Root._fields)


def _root_of(document: Document) -> _Root:
    return _Root._make(_ROOT(document))


def _is_option(item: object) -> bool:
    """Of a command line, which may say what the item after it is."""
    return type(item) is str and item[:1] == "-"


def _is_suspicious(document: Document, redactor: Redactor) -> bool:
    return redactor.suspicious("\0".join(_texts_of(document)))


def _holds(document: Document, known: Mapping[bytes, bytes]) -> bool:
    """A text of the span is a secret of this trace, however short."""
    return any(text.encode("utf-8", "surrogatepass") in known for text in _texts_of(document))


def _values_of(document: Document) -> list[object]:
    return [*(document[name] for name in _OTHER_TEXTS), *cast("dict[str, Any]", document["attributes"]).values()]


def _texts_of(document: Document) -> list[str]:
    values = _values_of(document)
    items = [item for each in values if type(each) is list for item in each]
    return [value for value in (*values, *items) if isinstance(value, str)]
