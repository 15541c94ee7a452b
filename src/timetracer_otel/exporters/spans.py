"""Spans of the SDK -> spans of a cassette, redacted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import format_span_id, format_trace_id

from timetracer_otel.cassette import Payload, Span, SpanEvent, SpanLink, Value

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link

    from timetracer_otel.redaction import Redactor

CLEAN_MAX: Final = 4096
"""Names and attributes that are remembered to hold no secret: most of a span's repeat from one request to the next."""
CLEAN_MAX_CHARS: Final = 2048

_TEXT: Final = frozenset[type]({str, bytes})
_ATOMS: Final = (bool, int, float, type(None))


class SpanEncoder:
    """One per process. Threads may share it: the worst of a race is that a value is looked at twice."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._clean: set[object] = set()

    def encode(self, span: ReadableSpan) -> Span:
        context, parent = span.get_span_context(), span.parent
        scope = span.instrumentation_scope
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
            status=span.status.status_code.name,
            status_description=self.text(span.status.description or ""),
            attributes=self.attributes(span.attributes),
            events=tuple(self._event(event) for event in span.events),
            links=tuple(self._link(link) for link in span.links),
        )

    def attributes(self, attributes: Mapping[str, Any] | None) -> Payload:
        """What is no value of a cassette (an SDK takes more than its types say) stands as its repr."""
        if not attributes:
            return {}
        plain = _copied(attributes)
        key = tuple(plain.items())
        if self._is_clean(key):
            return plain
        masked = {name: self._attribute(name, value) for name, value in plain.items()}
        if not any(type(value) is bool and self._redactor.is_secret_name(name) for name, value in key):
            # (Under a secret name True stays and 1 does not, and the two are one key.)
            self._remember(key, masked, plain)
        return masked

    def _is_clean(self, key: object) -> bool:
        try:
            return key in self._clean
        except TypeError:  # a list or a mapping in it
            return False

    def text(self, text: str) -> str:
        """`text` with secrets masked."""
        if not text or text in self._clean:
            return text
        masked = self._redactor.text(text)
        self._remember(text, masked, text)
        return masked

    def _attribute(self, name: str, value: Any) -> Value:
        key = (name, value)
        if type(value) in _TEXT and key in self._clean:
            return value  # type: ignore[no-any-return]  # one of the two types just looked at
        masked = self._redactor.value({name: _plain(value)}, "")[0]
        safe = masked[name] if isinstance(masked, Mapping) else masked
        if type(value) in _TEXT:
            self._remember(key, safe, value)
        return safe

    def _remember(self, key: Hashable, masked: object, original: object) -> None:
        if masked != original or not _is_short(key):
            return
        if len(self._clean) >= CLEAN_MAX:
            self._clean = set()
        self._clean.add(key)

    def _event(self, event: Event) -> SpanEvent:
        return SpanEvent(self.text(event.name), event.timestamp, self.attributes(event.attributes))

    def _link(self, link: Link) -> SpanLink:
        return SpanLink(
            trace_id=format_trace_id(link.context.trace_id),
            span_id=format_span_id(link.context.span_id),
            attributes=self.attributes(link.attributes),
            trace_state=self.text(link.context.trace_state.to_header()) if link.context.trace_state else "",
        )


def _copied(attributes: Mapping[str, Any]) -> dict[str, Any]:
    # An SDK's attributes have a copy() that is ten times as fast as reading them one by one, each through its lock.
    copy = getattr(attributes, "copy", None)
    return dict(attributes) if copy is None else dict(copy())


def _is_short(key: object) -> bool:
    """Also False for what cannot be hashed."""
    if isinstance(key, str | bytes):
        return len(key) <= CLEAN_MAX_CHARS
    return all(map(_is_short, key)) if isinstance(key, tuple) else isinstance(key, _ATOMS)


def _plain(value: Any) -> Value:
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return repr(value)
