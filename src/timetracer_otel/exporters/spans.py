"""Spans of the SDK -> spans of a cassette, redacted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import format_span_id, format_trace_id

from timetracer_otel.cassette import Payload, Span, SpanEvent, SpanLink, Value
from timetracer_otel.drivers.statements import mask_statement
from timetracer_otel.redaction.pairs import paired
from timetracer_otel.redaction.signed_members import TELLING, last_of
from timetracer_otel.redaction.told import told

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link

    from timetracer_otel.redaction import Redactor

CLEAN_MAX: Final = 4096
"""Texts that are remembered to hold no secret: most of a span's repeat from one request to the next."""
CLEAN_MAX_CHARS: Final = 512
"""What is longer seldom comes twice."""

STATEMENTS: Final = ("db.statement", "db.query.text")
"""Attributes that hold SQL: what a literal of it stands for is said by a name that may be far from it."""

MESSAGE: Final = "exception.message"
STACKTRACE: Final = "exception.stacktrace"
_FLAT: Final = frozenset[type]({bool, int, float, str, type(None)})


class SpanEncoder:
    """One per process. Threads may share it: the worst of a race is that a value is looked at twice."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._clean: set[str] = set()
        self._open_names: set[str] = set()
        self._open_statements: set[str] = set()
        self._telling: dict[tuple[str, ...], bool] = {}

    def encode(self, span: ReadableSpan, redactor: Redactor | None = None) -> Span:
        """`redactor`: that of the trace, which knows the secrets of the request under any name."""
        encoded = self._encoded(span)
        return encoded if redactor is None or not redactor.known() else _without_known(encoded, redactor)

    def _encoded(self, span: ReadableSpan) -> Span:
        context, parent, status = span.get_span_context(), span.parent, span.status
        scope, events, links = span.instrumentation_scope, span.events, span.links
        return Span(
            span_id=format_span_id(context.span_id) if context is not None else "",
            name=self.text(span.name),
            kind=span.kind.name,
            start_ns=span.start_time or 0,
            end_ns=span.end_time or 0,
            parent_id=format_span_id(parent.span_id) if parent is not None else None,
            remote_parent=parent is not None and parent.is_remote,
            trace_state=self.text(context.trace_state.to_header())
            if context is not None and context.trace_state
            else "",
            scope=scope.name if scope is not None else "",
            scope_version=(scope.version or "") if scope is not None else "",
            status=status.status_code.name,
            status_description=self.text(status.description) if status.description else "",
            attributes=self.attributes(span.attributes),
            # Most spans have none, and an expression that makes nothing still takes its time.
            events=tuple(map(self._event, events)) if events else (),
            links=tuple(map(self._link, links)) if links else (),
            scope_schema_url=(scope.schema_url or "") if scope is not None else "",
            scope_attributes=self.attributes(getattr(scope, "attributes", None)),
            dropped=_dropped(span),
        )

    def attributes(self, attributes: Mapping[str, Any] | None) -> Payload:
        """What is no value of a cassette (an SDK takes more than its types say) stands as its repr."""
        if not attributes:
            return {}
        plain = copied(attributes)
        for name in STATEMENTS:
            if isinstance(sql := plain.get(name), str):
                plain[name] = mask_statement(sql, self._redactor)[0]
        if self._are_open_names(plain.keys()) and self._are_clean(plain.values()):
            return plain
        masked = self._redactor.value({name: _plain(value) for name, value in plain.items()}, "")[0]
        if not isinstance(masked, Mapping):
            return {}
        self.remember(text for name, text in plain.items() if _is_same_text(text, masked.get(name)))
        return masked

    def are_open(self, attributes: Sequence[Mapping[str, Any]]) -> bool:
        """True if none of these says by its names or its statements that something in it is secret."""
        names = set[str]().union(*attributes)
        if not self._are_open_names(names):
            return False
        known, found = self._open_statements, [name for name in STATEMENTS if name in names]
        texts = {sql for name in found for each in attributes if isinstance(sql := each.get(name), str)}
        return texts <= known or all(sql in known or self._is_open_statement(sql) for sql in texts)

    def _are_open_names(self, names: Set[str]) -> bool:
        """True if a look at the values is enough. A rule masks what stands under the others, or they look like ours."""
        known = self._open_names
        if names <= known:
            return True
        is_secret, is_at = self._redactor.may_tell, self._redactor.rule_at
        if any("$" in name or is_secret(name) or is_at(f".{name}") for name in names - known):
            return False
        if len(known) >= CLEAN_MAX:
            self._open_names = set()
        self._open_names.update(names)
        return True

    def tells(self, names: tuple[str, ...]) -> bool:
        """True if by these names one attribute may say that another one is secret."""
        found = self._telling.get(names)
        if found is None:
            if len(self._telling) >= CLEAN_MAX:
                self._telling = {}
            members = {name.lower() for name in names}
            found = bool(paired(members, lambda _: STATEMENTS[0])) or not TELLING.isdisjoint(map(last_of, names))
            self._telling[names] = found
        return found

    def _is_open_statement(self, sql: str) -> bool:
        """True if nothing in it is secret for what it says itself. It need not be SQL."""
        is_open = mask_statement(sql, self._redactor)[0] == sql
        if is_open and len(sql) <= CLEAN_MAX_CHARS:
            if len(self._open_statements) >= CLEAN_MAX:
                self._open_statements = set()
            self._open_statements.add(sql)
        return is_open

    def _are_clean(self, values: Iterable[object]) -> bool:
        """All of them are plain, and one look at all texts that are news says that no pattern can hit."""
        if not _FLAT.issuperset(map(type, values)):
            return False
        texts = self.unknown(values)
        if texts and self._redactor.suspicious("\0".join(texts)):
            return False
        self.remember(texts)
        return True

    def unknown(self, values: Iterable[object]) -> list[str]:
        """The texts among them that are not known to hold no secret."""
        clean = self._clean
        return [text for text in values if type(text) is str and (len(text) > CLEAN_MAX_CHARS or text not in clean)]

    def text(self, text: str) -> str:
        """`text` with secrets masked."""
        if not text or text in self._clean:
            return text
        masked = self._redactor.text(text)
        if masked == text:
            self.remember((text,))
        return masked

    def remember(self, clean: Iterable[str]) -> None:
        """None of these texts holds a secret by the rules alone."""
        for text in clean:
            if len(text) <= CLEAN_MAX_CHARS:
                if len(self._clean) >= CLEAN_MAX:
                    self._clean = set()
                self._clean.add(text)

    def _event(self, event: Event) -> SpanEvent:
        attributes = event.attributes
        return SpanEvent(self.text(event.name), event.timestamp, self.attributes(attributes), _cut(attributes))

    def _link(self, link: Link) -> SpanLink:
        return SpanLink(
            trace_id=format_trace_id(link.context.trace_id),
            span_id=format_span_id(link.context.span_id),
            attributes=self.attributes(link.attributes),
            trace_state=self.text(link.context.trace_state.to_header()) if link.context.trace_state else "",
            dropped=_cut(link.attributes),
        )


def _dropped(span: ReadableSpan) -> dict[str, int]:
    """By what it is of."""
    cut = {"attributes": span.dropped_attributes, "events": span.dropped_events, "links": span.dropped_links}
    return {name: number for name, number in cut.items() if number}


def _cut(attributes: object) -> int:
    number = getattr(attributes, "dropped", 0)  # the SDK's attributes count; those that an app makes itself do not
    return number if isinstance(number, int) else 0


def _without_known(span: Span, redactor: Redactor) -> Span:
    def attributes(plain: Payload) -> Payload:
        masked = redactor.value(plain, "")[0]
        return masked if isinstance(masked, Mapping) else {}

    pairs = [pair for each in span.events if (pair := _told(each.attributes, redactor)) is not None]
    return replace(
        span,
        name=redactor.text(span.name),
        status_description=_without(redactor.text(span.status_description), pairs),
        attributes=attributes(span.attributes),
        events=tuple(replace(each, attributes=_untold(attributes(each.attributes), pairs)) for each in span.events),
        links=tuple(replace(each, attributes=attributes(each.attributes)) for each in span.links),
    )


def _told(attributes: Payload, redactor: Redactor) -> tuple[str, str] | None:
    """The message of an exception that is nothing but a secret of this trace."""
    message = attributes.get(MESSAGE)
    return told(message, redactor.known()) if isinstance(message, str) else None


def _untold(attributes: Payload, pairs: Sequence[tuple[str, str]]) -> Payload:
    texts = {name: text for name in (MESSAGE, STACKTRACE) if isinstance(text := attributes.get(name), str)}
    return {**attributes, **{name: _without(text, pairs) for name, text in texts.items()}} if pairs else attributes


def _without(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    for secret, marker in pairs:
        text = text.replace(secret, marker)
    return text


def copied(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A dict of them."""
    # An SDK's attributes have a copy() that is ten times as fast as reading them one by one, each through its lock.
    copy = getattr(attributes, "copy", None)
    return dict(attributes) if copy is None else dict(copy())


def _is_same_text(text: object, masked: object) -> bool:
    """True of a text that was looked at, and nothing was found. What looks like JSON was looked at in another way."""
    return type(text) is str and text is masked and text[:1] not in ("{", "[")


def _plain(value: Any) -> Value:
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return repr(value)
