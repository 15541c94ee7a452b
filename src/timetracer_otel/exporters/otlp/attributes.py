"""Values of a cassette as OTLP attributes, for whoever looks at them; and which of them every backend gives back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from timetracer_otel.cassette import Payload, Value
from timetracer_otel.config import KIB
from timetracer_otel.exporters.otlp.names import INLINE_MAX_BYTES, PREFIX

SHOWN_MAX_BYTES: Final = 512 * KIB
"""Of all attributes that a span shows, events and links included: the residue holds the others."""
NAME_MAX_BYTES: Final = 4 * KIB
_DEPTH_MAX: Final = 16
_SMALLEST, _GREATEST = -(2**63), 2**63 - 1

# Source: jaeger v1.76.0, its sanitizers and the tags to which backends without a column turn these.
BACKENDS_OWN: Final = frozenset(
    {
        "@jaeger@warnings",
        "error",
        "internal.span.format",
        "otel.library.name",
        "otel.library.version",
        "otel.scope.name",
        "otel.scope.version",
        "otel.status_code",
        "otel.status_description",
        "span.kind",
        "w3c.tracestate",
    }
)
"""Attributes that a backend may add by itself. Those of that name which were recorded travel in the residue."""


def travels(name: str, value: Value) -> bool:
    """True if every backend gives the attribute back with the same type and value."""
    if not _is_shown(name):
        return False
    kind = type(value)
    if kind is str:
        return is_text(str(value))
    if kind is int:
        return isinstance(value, int) and _SMALLEST <= value <= _GREATEST
    if kind is float:  # JSON of others writes -0 without a point
        return isinstance(value, float) and math.isfinite(value) and (value != 0 or math.copysign(1, value) > 0)
    return kind is bool


def _is_shown(name: str) -> bool:
    return bool(name) and name not in BACKENDS_OWN and not name.startswith(PREFIX) and is_text(name, NAME_MAX_BYTES)


def is_text(text: str, max_bytes: int = INLINE_MAX_BYTES) -> bool:
    """True if it is UTF-8 of no more than so many bytes."""
    try:
        return len(text.encode()) <= max_bytes
    except UnicodeEncodeError:  # a lone surrogate
        return False


def shown_text(text: str, max_bytes: int = NAME_MAX_BYTES) -> str:
    """The text itself if it travels, else what comes closest."""
    if is_text(text, max_bytes):
        return text
    return text.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")


class Attributes(Protocol):
    """The repeated field `attributes` of a span, an event, a link or a resource."""

    def append(self, value: KeyValue, /) -> None: ...


class Shown:
    """What one span may show yet."""

    __slots__ = ("_left_bytes",)

    def __init__(self, max_bytes: int = SHOWN_MAX_BYTES) -> None:
        self._left_bytes = max_bytes

    def add(self, attributes: Payload, into: Attributes) -> frozenset[str]:
        """Appends what can be shown; the names of those that come back as they are."""
        travelling: set[str] = set()
        for name, value in attributes.items():
            if value is None or not _is_shown(name):
                continue
            item = KeyValue(key=name, value=_any_value(value, _DEPTH_MAX))
            size = item.ByteSize()
            if size <= min(self._left_bytes, INLINE_MAX_BYTES + NAME_MAX_BYTES):
                self._left_bytes -= size
                into.append(item)
                if travels(name, value):
                    travelling.add(name)
        return frozenset(travelling)


def _any_value(value: Value, depth: int) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=shown_text(value, INLINE_MAX_BYTES))
    if isinstance(value, int):
        return AnyValue(int_value=value) if _SMALLEST <= value <= _GREATEST else AnyValue(string_value=hex(value))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):  # as hex, as a backend may store it, it is twice as long
        return AnyValue(bytes_value=value[: INLINE_MAX_BYTES // 2])
    if depth <= 0:
        return AnyValue(string_value="...")
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=_key_values(value, depth - 1)))
    if isinstance(value, Sequence):
        return AnyValue(array_value=ArrayValue(values=[_any_value(each, depth - 1) for each in value]))
    return AnyValue()


def _key_values(values: Mapping[str, Value], depth: int) -> list[KeyValue]:
    return [KeyValue(key=shown_text(name), value=_any_value(value, depth)) for name, value in values.items()]


def read_attributes(attributes: Iterable[KeyValue]) -> dict[str, Value]:
    """Plain data of what came back."""
    return {each.key: read_value(each.value) for each in attributes}


def read_value(value: AnyValue) -> Value:
    """None for an empty one."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [read_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return read_attributes(value.kvlist_value.values)
    plain: Value = getattr(value, kind) if kind is not None else None
    return plain
