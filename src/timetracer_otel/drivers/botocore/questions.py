"""Calls in canonical form: what is recorded and what is asked in replay become the same `Question`.

What the service would not tell apart is the same: the order of members and of a set, text or bytes where bytes are
wanted, a number of DynamoDB however it is written, JSON where the service treats it as JSON. What OpenTelemetry adds to
a call for propagation does not count, nor how a stream was cut, encoded and signed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import TEXT_MAX, Question, Slot
from timetracer_otel.drivers.botocore.json_members import decoded, is_json
from timetracer_otel.drivers.botocore.names import LIBRARY
from timetracer_otel.drivers.botocore.propagation import payload_without_propagation, without_propagation
from timetracer_otel.redaction import text_in

KEY_MAX: Final = 256
"""Bytes of a value that is its own key; that of a longer one is its hash, as that of an upload is."""
SHOWN_MAX: Final = 1000
_NAME: Final = re.compile(r"[\w#:$@-]+")
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
"""What the service takes for a number; Python takes more, such as `1_0` and ` 1`."""
SETS: Final = frozenset({"SS", "NS", "BS"})


def question_of(exchange: Exchange) -> Question:
    """Of a recorded request."""
    return question(exchange.request)


def question(request: Payload) -> Question:
    """Of what `requests.request` gives, here or in a cassette of anybody's making."""
    service, operation = str(request.get("service", "")), str(request.get("operation", ""))
    params = request.get("params")
    asked = without_propagation(service, params if isinstance(params, Mapping) else {})
    if (service, operation) == ("dynamodb", "BatchGetItem"):
        asked = _sorted_keys(asked)
    upload = request.get("upload")
    told = upload if isinstance(upload, Mapping) else {}
    is_unsent = bool(request.get("unsent"))
    slots = tuple(_slots(service, operation, asked, told, is_unsent))
    return Question(
        lib=LIBRARY,
        method=operation,
        url=service,
        shape=(service, operation, is_unsent),
        text=f"{service}.{operation}",
        slots=slots,
        database=str(request.get("region") or "") or None,
    )


def _slots(service: str, operation: str, params: Payload, upload: Payload, is_unsent: bool) -> Iterator[Slot]:
    large = str(upload.get("member", "")) if upload else ""
    for name in sorted(params):
        value, path = params[name], _member("params", name)
        if is_unsent and (value is None or isinstance(value, bytes)):
            continue
        if name == large and value is None:
            size, digest = upload.get("size"), str(upload.get("sha256"))
            yield Slot(path, key=("bytes", digest), shown=f"{size} bytes, sha256 {digest}")
        elif is_json(service, operation, name, params) and (found := decoded(value)) is not None:
            content = payload_without_propagation(found[0]) if service == "lambda" else found[0]
            yield from _json_leaves(f"{path}.$", content)
        else:
            yield from _leaves(path, value, service)


def _leaves(path: str, value: Value, service: str) -> Iterator[Slot]:
    """One slot for each leaf, those of a mapping by name."""
    if isinstance(value, (str, bytes)):
        yield _leaf(path, value)
        return
    if isinstance(value, Mapping):
        if service == "dynamodb" and len(value) == 1 and (found := _attribute(path, value)) is not None:
            yield from found
            return
        for name in sorted(value):
            yield from _leaves(_member(path, name), value[name], service)
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from _leaves(f"{path}[{index}]", each, service)
    else:
        yield _leaf(path, value)
        return
    if not value:  # an empty one is not the same as none
        yield Slot(path, key=("empty", type(value).__name__), shown=value)


def _member(path: str, name: str) -> str:
    """A name that could be read as a path of its own is quoted."""
    return f"{path}.{name}" if _NAME.fullmatch(name) else f"{path}[{name!r}]"


def _attribute(path: str, value: Mapping[str, Value]) -> list[Slot] | None:
    """A number or a set of DynamoDB, as the service sees it; None for anything else."""
    ((kind, content),) = value.items()
    if kind == "N" and isinstance(content, str):
        return [Slot(f"{path}.N", key=("N", _number(content)), shown=content, text=content)]
    if kind in SETS and isinstance(content, (list, tuple)):
        ordered = sorted(content, key=lambda each: repr(_set_key(kind, each)))
        return [
            Slot(f"{path}.{kind}[{index}]", key=(kind, _set_key(kind, each)), shown=each, text=_text(each))
            for index, each in enumerate(ordered)
        ]
    return None


def _sorted_keys(params: Payload) -> Payload:
    """Of a BatchGetItem, whose answer is in no order either: PynamoDB asks in that of a set."""
    tables = params.get("RequestItems")
    if not isinstance(tables, Mapping):
        return params
    return {**params, "RequestItems": {name: _with_sorted_keys(each) for name, each in tables.items()}}


def _with_sorted_keys(table: Value) -> Value:
    keys = table.get("Keys") if isinstance(table, Mapping) else None
    if not isinstance(table, Mapping) or not isinstance(keys, (list, tuple)):
        return table
    return {**table, "Keys": sorted(keys, key=_as_seen)}


def _as_seen(value: Value) -> list[tuple[str, str]]:
    return [(slot.path, repr(slot.key)) for slot in _leaves("", value, "dynamodb")]


def _set_key(kind: str, value: Value) -> Hashable:
    return _number(value) if kind == "NS" and isinstance(value, str) else _key(value)


def _number(text: str) -> Hashable:
    if _DECIMAL.fullmatch(text) is None:
        return text
    try:
        return _digits(Decimal(text))
    except InvalidOperation:  # an exponent beyond what any Decimal has
        return text


def _digits(number: Decimal) -> Hashable:
    """Equal exactly when the numbers are, whatever the context's precision; 1E+5000 stays short."""
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    return (sign if kept else 0, kept, int(exponent) + len(text) - len(kept) if kept else 0)


def _leaf(path: str, value: Value) -> Slot:
    if isinstance(value, (str, bytes)) and len(value) > TEXT_MAX:
        data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        shown = f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"
        return Slot(path, key=_key(value), shown=shown, whole=value)
    text = _text(value)
    return Slot(
        path,
        key=_key(value),
        shown=value if text is None else text[:SHOWN_MAX],
        text=text,
        whole=value if isinstance(value, bytes) else None,
    )


def _key(value: Value) -> Hashable:
    """Text and its UTF-8 are the same: a member that takes both takes them for the same bytes."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return ("bytes", value if len(value) <= KEY_MAX else hashlib.sha256(value).hexdigest())
    return (type(value).__name__, repr(value))


def _text(value: Value) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return text_in(value, TEXT_MAX)
    return value if isinstance(value, str) else None


def _json_leaves(path: str, value: Any) -> Iterator[Slot]:
    """Of JSON that was decoded: 1 and 1.0 are two values to whom it is meant for, text is never a number."""
    if isinstance(value, Mapping) and value:
        for name in sorted(value):
            yield from _json_leaves(_member(path, name), value[name])
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for index, each in enumerate(value):
            yield from _json_leaves(f"{path}[{index}]", each)
    else:
        shown: Value = value if not isinstance(value, Decimal) else str(value)
        text = value if isinstance(value, str) and len(value) <= TEXT_MAX else None
        yield Slot(path, key=(type(value).__name__, str(value)), shown=shown, text=text)
