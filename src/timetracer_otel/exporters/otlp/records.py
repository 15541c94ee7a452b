"""Records: JSON documents as attributes of a span, in one piece or in several, with what tells that one was cut."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from timetracer_otel.cassette import Value
from timetracer_otel.exporters.otlp import names

Put: TypeAlias = Callable[[bytes], str]
"""Stores a blob and gives its SHA-256."""
Get: TypeAlias = Callable[[str, int], bytes]
"""The blob of a SHA-256 with so many bytes. Raises DamagedCassette."""

_PART_NAME: Final = re.compile(r"timetracer\.[a-z.]+\.part\.([0-9]{1,9})")


# ---- writing ---------------------------------------------------------------------------------------------------------


def text_attribute(name: str, value: str) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=value))


def number_attribute(name: str, value: int) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(int_value=value))


def put_record(span: SpanMessage, name: str, text: bytes, put: Put | None = None) -> list[SpanMessage]:
    """Adds a record to the span; what does not fit into it is on the spans that come back, which stand below it.

    `put` stores what is large outside; without it all of it travels.
    """
    is_inline = len(text) <= names.INLINE_MAX_BYTES
    sha256 = hashlib.sha256(text).hexdigest()
    if name in names.PAYLOADS or not is_inline:  # of the others a cut one is no JSON any more, and that is enough
        span.attributes.append(number_attribute(name + names.SIZE, len(text)))
        span.attributes.append(text_attribute(name + names.SHA256, sha256))
    if is_inline:
        span.attributes.append(text_attribute(name, text.decode()))
        return []
    span.attributes.append(text_attribute(name + names.PREVIEW, next(_cut(text, names.PREVIEW_MAX_BYTES))))
    if put is not None and len(text) > names.REF_MIN_BYTES:
        span.attributes.append(text_attribute(name + names.REF, names.REF_SCHEME + put(text)))
        return []
    parts = list(_cut(text, names.INLINE_MAX_BYTES))
    span.attributes.append(number_attribute(name + names.PARTS, len(parts)))
    _append_parts(span, name, parts, 0, names.PARTS_HERE_MAX)
    starts = range(names.PARTS_HERE_MAX, len(parts), names.PARTS_BELOW_MAX)
    return [_payload_span(span, name, sha256, parts, start) for start in starts]


def _cut(text: bytes, max_bytes: int) -> Iterator[str]:
    """Pieces of whole characters."""
    start = 0
    while start < len(text):
        end = min(start + max_bytes, len(text))
        while end < len(text) and text[end] & 0xC0 == 0x80:
            end -= 1
        yield text[start:end].decode()
        start = end


def _append_parts(span: SpanMessage, name: str, parts: list[str], start: int, count: int) -> None:
    for number, part in enumerate(parts[start : start + count], start):
        span.attributes.append(text_attribute(f"{name}{names.PART}{number}", part))


def _payload_span(owner: SpanMessage, name: str, sha256: str, parts: list[str], start: int) -> SpanMessage:
    span = SpanMessage(
        trace_id=owner.trace_id,
        span_id=made_id(owner.span_id.hex(), name, sha256, str(start)),
        parent_span_id=owner.span_id,
        name=f"{name} {start}-{min(start + names.PARTS_BELOW_MAX, len(parts)) - 1} of {len(parts)}",
        kind=SpanMessage.SPAN_KIND_INTERNAL,
        start_time_unix_nano=owner.start_time_unix_nano,
        end_time_unix_nano=owner.start_time_unix_nano + 1,
        flags=owner.flags & 0xFF,
    )
    mark(span, names.PAYLOAD_SPAN)
    span.attributes.append(text_attribute(name + names.SHA256, sha256))
    _append_parts(span, name, parts, start, names.PARTS_BELOW_MAX)
    return span


def made_id(*words: str) -> bytes:
    """The id of a span that we make: whoever sends the same again sends the same id."""
    return hashlib.sha256("\0".join(("timetracer", *words)).encode("utf-8", "surrogatepass")).digest()[:8]


def mark(span: SpanMessage, kind: str = "") -> None:
    span.attributes.append(number_attribute(names.SCHEMA, names.VERSION))
    if kind:
        span.attributes.append(text_attribute(names.KIND, kind))


# ---- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cut:
    """A record that did not come back whole."""

    name: str
    found_bytes: int
    size: int | None
    """What it had; None where that was lost too."""

    def __str__(self) -> str:
        if self.size is None:
            return f"{self.name} did not come back whole"
        if self.found_bytes >= self.size:
            return f"{self.name} came back altered"
        return f"{self.name} was cut: {self.found_bytes} of {self.size} bytes came back"


class Parts:
    """The parts of all records of one trace, by the hash of their record: it does not matter which span brought one."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, int], str] = {}

    def learn(self, attributes: Mapping[str, Value]) -> None:
        """From the attributes of one span."""
        for key, value in attributes.items():
            if isinstance(value, str) and (match := _PART_NAME.fullmatch(key)) is not None:
                name = key.rpartition(names.PART)[0]
                sha256 = attributes.get(name + names.SHA256)
                if isinstance(sha256, str):
                    self._texts[sha256, int(match[1])] = value

    def joined(self, sha256: str, count: int) -> tuple[bytes, bool]:
        """What there is of it from its start, and whether that is all."""
        found: list[bytes] = []
        for number in range(count):
            text = self._texts.get((sha256, number))
            if text is None:
                return b"".join(found), False
            found.append(text.encode("utf-8", "replace"))
        return b"".join(found), True


class Reader:
    """Records of one trace, each checked. What they say of themselves is a stranger's: memory is bounded here."""

    def __init__(self, parts: Parts, get: Get | None, max_bytes: int) -> None:
        self._parts, self._get, self._left_bytes = parts, get, max_bytes

    def record(self, attributes: Mapping[str, Value], name: str) -> bytes | Cut | None:
        """Its text; None if there is no trace of it. Raises ValueError if all of them are larger than is allowed."""
        size, sha256 = attributes.get(name + names.SIZE), attributes.get(name + names.SHA256)
        size = size if type(size) is int else None
        text = self._text(attributes, name, sha256 if isinstance(sha256, str) else "", size or 0)
        if text is None:
            return None if size is None and sha256 is None else Cut(name, 0, size)
        self._left_bytes -= len(text)
        if self._left_bytes < 0:
            raise ValueError("its payloads together are larger than any cassette")
        is_whole = not isinstance(sha256, str) or hashlib.sha256(text).hexdigest() == sha256
        return text if is_whole and _is_object(text) else Cut(name, len(text), size)

    def _text(self, attributes: Mapping[str, Value], name: str, sha256: str, size: int) -> bytes | None:
        inline, count, ref = (attributes.get(name + suffix) for suffix in ("", names.PARTS, names.REF))
        if isinstance(inline, str):
            return inline.encode("utf-8", "replace")
        if isinstance(inline, bytes):  # a backend that took a cut character for what is no text
            return inline
        if type(count) is int:
            return self._parts.joined(sha256, count)[0]
        if isinstance(ref, str) and ref == names.REF_SCHEME + sha256 and self._get is not None:
            return self._get(sha256, size)
        return None


def _is_object(text: bytes) -> bool:
    """Whether it is a JSON object: no beginning of one is."""
    import orjson

    try:
        return isinstance(orjson.loads(text), dict)
    except ValueError:
        return False
