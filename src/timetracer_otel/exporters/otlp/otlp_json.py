"""OTLP as JSON: protobuf's own JSON but for the ids, which OTLP writes in hexadecimal, and enums, which are numbers.

Source: OTLP specification 1.9, "JSON Protobuf Encoding"; proto3's JSON mapping is the library's.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any, Final

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError  # type: ignore[import-untyped]  # it has no types
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

_IDS: Final = ("traceId", "spanId", "parentSpanId")
_SNAKE: Final = {"trace_id": "traceId", "span_id": "spanId", "parent_span_id": "parentSpanId"}
_ID_MAX_CHARS: Final = 64


def to_json(data: TracesData) -> dict[str, Any]:
    """What every JSON writer takes (Any: it goes into one)."""
    document: dict[str, Any] = MessageToDict(data, use_integers_for_enums=True)
    for owner in _owners(document):
        _convert_ids(owner, lambda text: b64decode(text).hex())
    return document


def dumps(data: TracesData) -> bytes:
    """One line of a `.jsonl` file, without its line break."""
    import orjson

    return orjson.dumps(to_json(data))


def from_json(document: Any) -> TracesData:
    """Of JSON data in any version of OTLP: what is unknown is ignored. Raises ValueError for what is no OTLP."""
    if not isinstance(document, dict):
        raise ValueError("OTLP JSON that is not an object")
    for owner in _owners(document):
        _convert_ids(owner, lambda text: b64encode(bytes.fromhex(text)).decode())
    try:
        data = TracesData()
        ParseDict(document, data, ignore_unknown_fields=True)
        return data
    except (ParseError, TypeError, AttributeError, RecursionError, SystemError) as error:
        # SystemError is protobuf's own mistake with a field's name that holds half of a surrogate pair.
        raise ValueError(f"no OTLP JSON: {' '.join(str(error).split())[:200]}") from None


def _convert_ids(owner: dict[str, Any], convert: Callable[[str], str]) -> None:
    for name, id_name in (*zip(_IDS, _IDS, strict=True), *_SNAKE.items()):
        text = owner.get(name)
        if text is not None:
            if not isinstance(text, str) or len(text) > _ID_MAX_CHARS:
                raise ValueError(f"{id_name} is no id")
            owner[name] = convert(text)


def _owners(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Spans, and their links: whatever has ids."""
    for resource in _objects(document, "resourceSpans", "resource_spans"):
        for scope in _objects(resource, "scopeSpans", "scope_spans"):
            for span in _objects(scope, "spans"):
                yield span
                yield from _objects(span, "links")


def _objects(owner: dict[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        found = owner.get(name)
        if isinstance(found, list):
            yield from (each for each in found if isinstance(each, dict))
