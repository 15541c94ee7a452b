"""What OpenTelemetry's instrumentor writes into a call: trace headers among the attributes of a message, and in the
JSON payload of a Lambda function. It differs with every trace, and is no part of what the application asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from timetracer_otel.cassette.model import Payload, Value

FIELDS: Final = frozenset(
    {"traceparent", "tracestate", "baggage", "x-amzn-trace-id", "awstraceheader", "b3", "uber-trace-id"}
    | {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-parentspanid", "x-b3-flags"}
)
ATTRIBUTES: Final = ("MessageAttributes", "MessageSystemAttributes")
ENTRIES: Final = ("Entries", "PublishBatchRequestEntries")
NAMES: Final = "MessageAttributeNames"
MESSAGES: Final = frozenset({"sqs", "sns"})


def without_propagation(service: str, params: Payload) -> Payload:
    """The same without it; `params` themselves where there is none."""
    return _message(params) if service in MESSAGES else params


def _message(params: Payload) -> Payload:
    """With the map that holds nothing else: the instrumentor adds it to carry its own."""
    kept = {name: _entries(value) if name in ENTRIES else value for name, value in params.items()}
    for name in ATTRIBUTES:
        attributes = kept.get(name)
        if isinstance(attributes, Mapping):
            kept[name] = left = {key: value for key, value in attributes.items() if key.lower() not in FIELDS}
            if not left:
                del kept[name]
    wanted = kept.get(NAMES)
    if isinstance(wanted, (list, tuple)):
        kept[NAMES] = rest = [name for name in wanted if str(name).lower() not in FIELDS]
        if not rest:
            del kept[NAMES]
    return kept


def _entries(value: Value) -> Value:
    if not isinstance(value, (list, tuple)):
        return value
    return [_message(each) if isinstance(each, Mapping) else each for each in value]


def payload_without_propagation(payload: Any) -> Any:
    """What a Lambda function is called with, decoded; the same where nothing was added. Any: it is JSON."""
    if not isinstance(payload, dict) or not isinstance(payload.get("headers"), dict):
        return payload
    left = {name: each for name, each in payload["headers"].items() if name.lower() not in FIELDS}
    rest = {name: each for name, each in payload.items() if name != "headers"}
    return {**rest, "headers": left} if left else rest
