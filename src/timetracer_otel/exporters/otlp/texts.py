"""Documents of a cassette as JSON text that a browser reads exactly too: no integer in it is beyond 2^53."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from timetracer_otel.cassette import Value
from timetracer_otel.cassette.values import DOCUMENT_DEPTH, Json, decode, encode

_LONG: Final = re.compile(rb"\d{16}")
_EXACT_MAX: Final = 2**53


def dump_text(document: Mapping[str, Value]) -> bytes:
    """Raises Unconvertible for what is no Value."""
    import orjson

    json = encode(document, DOCUMENT_DEPTH)
    text = orjson.dumps(json)
    return orjson.dumps(_exact(json)) if _LONG.search(text) else text


def _exact(json: Json) -> Json:
    if type(json) is int and not -_EXACT_MAX <= json <= _EXACT_MAX:
        return {"$int": hex(json)}
    if isinstance(json, dict):
        return {key: _exact(value) for key, value in json.items()}
    if isinstance(json, list):
        return [_exact(value) for value in json]
    return json


def load_text(text: bytes) -> dict[str, Value]:
    """Raises ValueError for what `dump_text` does not write."""
    import orjson

    document = decode(orjson.loads(text), DOCUMENT_DEPTH)
    if not isinstance(document, dict):
        raise ValueError("a record that is not an object")
    return document
