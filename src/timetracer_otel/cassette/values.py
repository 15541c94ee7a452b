"""Values of a payload <-> JSON, exact in both directions. `docs/cassette-format.md`, "Values", is the same in words.

Where JSON is exact a value stands as itself; else as an object with one key that begins with "$".
"""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import NoneType
from typing import Any, Final, TypeAlias, cast

from timetracer_otel.cassette.blobs import BLOB, decode_blob, encode_blob
from timetracer_otel.cassette.model import Blob, Value
from timetracer_otel.errors import Unconvertible

Json: TypeAlias = Any
"""What orjson reads and writes: None, bool, int, float, str, list, dict. (Any: to read it is to ask for its type.)"""
Resolve: TypeAlias = Callable[[Blob], Value]
"""What to have in place of a blob."""

MAX_DEPTH: Final = 200
"""Levels of lists and mappings in one payload; orjson itself writes 254."""
DOCUMENT_DEPTH: Final = MAX_DEPTH + 10
"""Those of a whole file: a payload of the greatest depth, inside its exchange, segment and bundle."""

_NEVER_ALTERED: Final = frozenset[type]({NoneType, bool})
_SELDOM_ALTERED: Final = _NEVER_ALTERED | {str, int}
_PLAIN_JSON: Final = frozenset[type]({NoneType, bool, int, float, str})
_SMALLEST, _GREATEST = -(2**63), 2**64 - 1
_NOT_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_HEX: Final = re.compile(r"-?0x[0-9a-f]+")


def dumps(value: Value, max_depth: int = MAX_DEPTH) -> bytes:
    """The value as JSON text. Raises Unconvertible for what is not a Value.

    Nearly every text and number is JSON as it is, so none is looked at until orjson refuses one.
    """
    import orjson

    try:
        return orjson.dumps(_encode(value, _SELDOM_ALTERED, max_depth))
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        return orjson.dumps(encode(value, max_depth))


def encode(value: Value, max_depth: int = MAX_DEPTH) -> Json:
    """The value as plain JSON data, which every JSON writer takes. Raises Unconvertible for what is not a Value."""
    return _encode(value, _NEVER_ALTERED, max_depth)


def as_it_is(value: Any) -> Json:
    return value


def decode(json: Json, max_depth: int = MAX_DEPTH, resolve: Resolve = as_it_is) -> Value:
    """The value that `encode` was given, and for a blob what `resolve` gives.

    Raises ValueError for anything that `encode` does not write.
    """
    if type(json) is list:
        return _decode_list(json, max_depth, resolve)
    if type(json) is dict:
        return _decode_map(json, max_depth, resolve)
    if type(json) in _PLAIN_JSON:
        return cast(Value, json)
    raise ValueError(f"{type(json).__name__} is no JSON")


def _encode(value: Any, unaltered: frozenset[type], depth: int) -> Json:
    kind = type(value)
    if kind is dict:
        return _encode_map(value, unaltered, depth)
    if kind is list or kind is tuple:
        return _encode_list(value, unaltered, depth)
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    return _encode_other(value, unaltered, depth)


def _encode_list(values: Sequence[object], unaltered: frozenset[type], depth: int) -> list[Json]:
    if depth <= 0:
        raise Unconvertible(f"a value nested deeper than {MAX_DEPTH} levels")
    if unaltered.issuperset(map(type, values)):  # a column of a result: thousands of cells, and nothing to do
        return values if type(values) is list else list(values)
    return [value if type(value) in unaltered else _encode(value, unaltered, depth - 1) for value in values]


def _encode_map(values: Mapping[Any, object], unaltered: frozenset[type], depth: int) -> dict[str, Json]:
    if depth <= 0:
        raise Unconvertible(f"a value nested deeper than {MAX_DEPTH} levels")
    if not _are_plain_keys(values, unaltered):
        return {"$map": [_encode_list((str.__str__(key), values[key]), unaltered, depth - 2) for key in values]}
    if type(values) is dict and unaltered.issuperset(map(type, values.values())):
        return values
    return {
        key: value if type(value) in unaltered else _encode(value, unaltered, depth - 1)
        for key, value in values.items()
    }


def _are_plain_keys(keys: Iterable[Any], unaltered: frozenset[type]) -> bool:
    """Whether the keys of an object can be these. One pass in C over all: most mappings are columns and spans."""
    try:
        joined = "".join(keys)
    except TypeError:
        raise Unconvertible("a mapping with a key that is not text") from None
    if "$" in joined and any(key.startswith("$") for key in keys):
        return False
    return str in unaltered or ({str}.issuperset(map(type, keys)) and _is_utf8(joined))


def _encode_other(value: object, unaltered: frozenset[type], depth: int) -> Json:
    if isinstance(value, Mapping):
        return _encode_map(value, unaltered, depth)
    if isinstance(value, (list, tuple)):
        return _encode_list(value, unaltered, depth)
    for kind, plain, encode_plain in _SUBCLASSES:
        if isinstance(value, kind):
            return encode_plain(plain(value))
    raise Unconvertible(f"a value of type {type(value).__module__}.{type(value).__qualname__}")


def _encode_str(value: str) -> Json:
    # UTF-8, not UTF-16: there two lone surrogates side by side would come back as one character.
    return value if _is_utf8(value) else {"$str": b64encode(value.encode("utf-8", "surrogatepass")).decode()}


def encode_bytes(value: bytes) -> dict[str, Json]:
    try:
        return {"$text": value.decode()}
    except UnicodeDecodeError:
        return {"$b64": binascii.b2a_base64(value, newline=False).decode()}


def _encode_int(value: int) -> Json:
    return value if _SMALLEST <= value <= _GREATEST else {"$int": hex(value)}


def _encode_float(value: float) -> Json:
    if math.isfinite(value):
        return value
    return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes_of(value: Any) -> bytes:
    return bytes(memoryview(value))


_SCALARS: Final[dict[type, Callable[[Any], Json]]] = {
    NoneType: as_it_is,
    bool: as_it_is,
    int: _encode_int,
    float: _encode_float,
    str: _encode_str,
    bytes: encode_bytes,
    Blob: encode_blob,
}

# The methods of the base, since a subclass may well say something else: str() of an enum is its name.
_SUBCLASSES: Final[tuple[tuple[Any, Callable[[Any], Any], Callable[[Any], Json]], ...]] = (
    (str, str.__str__, _encode_str),
    (int, int.__int__, _encode_int),
    (float, float.__float__, _encode_float),
    ((bytes, bytearray, memoryview), _bytes_of, encode_bytes),
)


def _decode_list(values: list[Json], depth: int, resolve: Resolve) -> list[Value]:
    if depth <= 0:
        raise ValueError("nested too deep")
    if _PLAIN_JSON.issuperset(map(type, values)):
        return values
    return [value if type(value) in _PLAIN_JSON else decode(value, depth - 1, resolve) for value in values]


def _decode_map(values: dict[str, Json], depth: int, resolve: Resolve) -> Value:
    if depth <= 0:
        raise ValueError("nested too deep")
    if len(values) == 1:  # each binary cell and each piece of a body
        ((key, content),) = values.items()
        if key[:1] == "$":
            return _decode_marked(values, depth, resolve)
        return values if type(content) in _PLAIN_JSON else {key: decode(content, depth - 1, resolve)}
    if "$" in "".join(values) and any(key.startswith("$") for key in values):
        return _decode_marked(values, depth, resolve)
    if _PLAIN_JSON.issuperset(map(type, values.values())):
        return values
    return {
        key: value if type(value) in _PLAIN_JSON else decode(value, depth - 1, resolve) for key, value in values.items()
    }


def _decode_marked(values: dict[str, Json], depth: int, resolve: Resolve) -> Value:
    if len(values) != 1:
        raise ValueError(f"an object that mixes the keys {list(islice(values, 3))!r:.80}")
    ((kind, content),) = values.items()
    if kind == "$map":
        return _decode_pairs(content, depth, resolve)
    if kind == BLOB:
        return resolve(decode_blob(content))
    if kind not in _MARKED or type(content) is not str:
        raise ValueError(f"an object with the key {kind!r:.80} over {type(content).__name__}")
    return _MARKED[kind](content)


def _decode_pairs(pairs: Json, depth: int, resolve: Resolve) -> dict[str, Value]:
    if type(pairs) is not list:
        raise ValueError("$map of something that is not a list")
    decoded: dict[str, Value] = {}
    for pair in pairs:
        key, value = _decode_pair(pair, depth - 2, resolve)
        decoded[key] = value
    if len(decoded) < len(pairs):
        raise ValueError("$map with a key that it has twice")
    return decoded


def _decode_pair(pair: Json, depth: int, resolve: Resolve) -> tuple[str, Value]:
    if type(pair) is not list or len(pair) != 2:
        raise ValueError("$map of something that is not pairs")
    key, value = _decode_list(pair, depth, resolve)
    if type(key) is not str:
        raise ValueError("$map with a key that is not text")
    return key, value


def _decode_int(text: str) -> int:
    if _HEX.fullmatch(text) is None:
        raise ValueError(f"$int of {text[:80]!r}")
    return int(text, 16)


def _decode_float(text: str) -> float:
    if text not in _NOT_FINITE:
        raise ValueError(f"$float of {text[:80]!r}")
    return _NOT_FINITE[text]


def _decode_b64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:  # its words are others in each version of Python
        raise ValueError(f"{text[:20]!r} is not base64") from None


def _decode_str(text: str) -> str:
    return _decode_b64(text).decode("utf-8", "surrogatepass")


_MARKED: Final[dict[str, Callable[[str], Value]]] = {
    "$text": str.encode,
    "$b64": _decode_b64,
    "$str": _decode_str,
    "$int": _decode_int,
    "$float": _decode_float,
}
