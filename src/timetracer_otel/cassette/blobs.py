"""What lies beside a cassette: the marks that stand for it in JSON, and whole payloads put back in their place."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from timetracer_otel.cassette.model import Blob, Value
from timetracer_otel.cassette.pieces import is_utf8
from timetracer_otel.config import KIB, MIB
from timetracer_otel.errors import Unconvertible

INLINE_MAX_BYTES: Final = MIB
"""JSON text of a request or a result above it becomes a blob."""
BINARY_MAX_BYTES: Final = 64 * KIB
"""Binary data in one piece above it becomes a blob of its own: as base64 inside of JSON it would cost tenfold."""
BLOB: Final = "$blob"
PAYLOAD: Final = "$payload"
"""It stands only for the whole request or the whole result of an exchange."""

Put: TypeAlias = Callable[[Sequence[bytes]], str]
"""Stores the pieces, one after the other as one blob, and gives its SHA-256 in hex."""
Get: TypeAlias = Callable[[Blob], bytes]
"""The bytes of a blob. Raises DamagedCassette."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_GREATEST: Final = 2**63 - 1


def beside(value: Value, put: Put) -> Value:
    """The value with a Blob in place of each large piece of binary data, which `put` then has stored.

    Text stays, where it can be searched for ids; as bytes it is stored as text as well.
    """
    if isinstance(value, bytes):
        return value if len(value) <= BINARY_MAX_BYTES or _is_text(value) else Blob(put((value,)), 0, len(value))
    if isinstance(value, Mapping):
        return {name: beside(each, put) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [beside(each, put) for each in value]
    return value


def _is_text(data: bytes) -> bool:
    try:
        _Decoder().decode(data[:KIB])  # most that is none says so soon
    except UnicodeDecodeError:
        return False
    return is_utf8(data)


_Decoder: Final = codecs.getincrementaldecoder("utf-8")


def encode_blob(blob: Blob) -> dict[str, Any]:
    """The mark as JSON data (Any: it goes into a JSON writer). Raises Unconvertible if the blob is none."""
    content = {"sha256": blob.sha256, "offset": blob.offset, "size": blob.size}
    try:
        decode_blob(content)
    except ValueError as error:
        raise Unconvertible(str(error)) from None
    return {BLOB: content}


def decode_blob(content: object) -> Blob:
    """From what stands under `$blob`. Raises ValueError."""
    sha256, offset, size = _fields(BLOB, content, ("sha256", "offset", "size"))
    return Blob(_hash(BLOB, sha256), _count(BLOB, offset), _count(BLOB, size))


def payload_mark(sha256: str, size: int) -> dict[str, Any]:
    """What stands in place of a payload whose JSON is a blob of `size` bytes (Any: it goes into a JSON writer)."""
    return {PAYLOAD: {"sha256": sha256, "size": size}}


def payload_blob(json: object) -> Blob | None:
    """The blob of a payload that lies beside the file; None of any other JSON data. Raises ValueError."""
    if not isinstance(json, dict) or json.keys() != {PAYLOAD}:
        return None
    sha256, size = _fields(PAYLOAD, json[PAYLOAD], ("sha256", "size"))
    return Blob(_hash(PAYLOAD, sha256), 0, _count(PAYLOAD, size))


def with_payloads(document: Mapping[str, Any], get: Callable[[Blob], object]) -> dict[str, Any]:
    """A part's document in which what `get` gives stands for each payload that lies beside. Raises ValueError.

    The shape of all else is not looked at here (Any: nothing is known of it yet).
    """
    exchanges = document.get("exchanges")
    if not isinstance(exchanges, list):
        return dict(document)
    return {**document, "exchanges": [_with_payloads(exchange, get) for exchange in exchanges]}


def _with_payloads(exchange: Any, get: Callable[[Blob], object]) -> Any:
    if not isinstance(exchange, dict):
        return exchange
    blobs = {name: payload_blob(exchange.get(name)) for name in ("request", "result")}
    return {**exchange, **{name: get(blob) for name, blob in blobs.items() if blob is not None}}


def _fields(mark: str, content: object, names: tuple[str, ...]) -> list[object]:
    if not isinstance(content, dict) or content.keys() != set(names):
        raise ValueError(f"{mark} of something that is not {', '.join(names)}")
    return [content[name] for name in names]


def _hash(mark: str, value: object) -> str:
    if not isinstance(value, str) or _SHA256.fullmatch(value) is None:
        raise ValueError(f"{mark} with a hash that is not 64 hexadecimal digits")
    return value


def _count(mark: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= _GREATEST:
        raise ValueError(f"{mark} with a number of bytes that is none")
    return value
