"""`values.dumps` for the writer of a recording process: the same text, much faster, since orjson walks the data.

orjson alone would be wrong in four places. Each is known by the text or by an error; then `values.dumps` writes.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import NoneType
from typing import Any, Final

from timetracer_otel.cassette import values
from timetracer_otel.cassette.model import Blob, Value
from timetracer_otel.cassette.pieces import contains, count, is_large, pieces, texts

_ATOMS: Final = frozenset[type]({NoneType, bool, int, str})
_NEVER: Final = frozenset[type]({NoneType, bool, int, str, bytes})
HOLE: Final = b"\0"
"""Stands in JSON text where large data belongs: no character below the blank can be in it."""
BASE64_BYTES: Final = 3
"""So many become four digits."""


@cache
def hole() -> Any:
    """What orjson writes as `HOLE`."""
    import orjson

    return orjson.Fragment(HOLE)


def dumps(value: Value, max_depth: int = values.MAX_DEPTH) -> bytes:
    """The value as JSON text, byte for byte what `values.dumps` gives. Raises Unconvertible for what is not a Value."""
    return b"".join(dump_pieces(value, max_depth))


def dump_pieces(value: Value, max_depth: int = values.MAX_DEPTH) -> list[bytes]:
    """`dumps` in pieces: large binary data in it is not copied as a whole."""
    import orjson

    large, markers = list[bytes](), 0

    def marked(leaf: object) -> object:
        nonlocal markers
        if type(leaf) is bytes and is_large(len(leaf)):
            large.append(leaf)
            return hole()
        markers += 1
        return _marked(leaf)

    try:
        text = orjson.dumps(value, marked, orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError:  # a lone surrogate, an integer beyond 64 bits, a key that is no text, nested too deep
        return [values.dumps(value, max_depth)]
    if _may_be_deep(text, max_depth) or _may_hold_marks(text, markers) or (b"null" in text and _not_finite(value)):
        return [values.dumps(value, max_depth)]
    return _filled(text, large) if large else [text]


def dumps_plain(document: Mapping[str, Value]) -> bytes:
    """`dumps` of data without floats and keys that begin with "$", a few levels deep. It is not checked."""
    try:
        return dumps_strictly(document)
    except TypeError:
        return values.dumps(document)


def dumps_inline(document: Mapping[str, Value], max_bytes: int) -> bytes | None:
    """`dumps_plain`; None if it is larger than that. Binary data alone that is, is not written for nothing."""
    import orjson

    def marked(leaf: object) -> Any:
        if type(leaf) is bytes:
            if len(leaf) > max_bytes:
                raise OverflowError
            if not is_large(len(leaf)):
                try:
                    return {"$text": leaf.decode()}  # as `encode_bytes`, without two calls for each header
                except UnicodeDecodeError:
                    return values.encode_bytes(leaf)
        return _marked(leaf)

    try:
        text = orjson.dumps(document, marked, orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError as error:
        if isinstance(error.__cause__, OverflowError):
            return None
        text = values.dumps(document)
    return text if len(text) <= max_bytes else None


def plain_pieces(document: Mapping[str, Value]) -> list[bytes]:
    """`dumps_plain` in pieces, as `dump_pieces`."""
    import orjson

    large = list[bytes]()

    def marked(leaf: object) -> Any:
        if type(leaf) is bytes and is_large(len(leaf)):
            large.append(leaf)
            return hole()
        return _marked(leaf)

    try:
        text = orjson.dumps(document, marked, orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError:
        return [values.dumps(document)]
    return _filled(text, large) if large else [text]


def _filled(text: bytes, large: Sequence[bytes]) -> list[bytes]:
    """The text with the data in its holes."""
    first, *others = text.split(HOLE)
    pieces = [first]
    for data, after in zip(large, others, strict=True):
        pieces += (*_large_bytes(data), after)
    return pieces


def dumps_strictly(document: object) -> bytes:
    """`dumps_plain`, also of what `plain` gave. Raises TypeError for what needs the slow writer."""
    import orjson

    return orjson.dumps(document, _marked, orjson.OPT_PASSTHROUGH_DATACLASS)


def plain(mapping: Mapping[str, Value]) -> object:
    """The mapping itself if `dumps_plain` may write it, else its text, ready to be embedded."""
    import orjson

    is_plain = _ATOMS.issuperset(map(type, mapping.values())) and "$" not in "".join(mapping)
    return mapping if is_plain else orjson.Fragment(dumps(mapping, values.MAX_DEPTH - 1))


def _marked(leaf: object) -> Any:
    """JSON, or what orjson embeds as it is."""
    if type(leaf) is bytes:  # each binary cell of each answer
        return _embedded(leaf) if is_large(len(leaf)) else values.encode_bytes(leaf)
    if isinstance(leaf, Blob):
        return values.encode(leaf)
    if not isinstance(leaf, (bytes, bytearray, memoryview)):
        raise TypeError  # a mapping of another type; or no Value, which `values.dumps` then names
    return values.encode(bytes(leaf))


def _embedded(data: bytes) -> Any:
    """Large data, for orjson to copy. (Any: only orjson knows what that is.)"""
    import orjson

    return orjson.Fragment(b"".join(_large_bytes(data)))


def _large_bytes(data: bytes) -> list[bytes]:
    """The text of `values.encode_bytes`, in pieces."""
    import orjson

    try:
        return [b'{"$text":"', *[orjson.dumps(text)[1:-1] for text in texts(data)], b'"}']
    except UnicodeDecodeError:
        digits = [binascii.b2a_base64(piece, newline=False) for piece in pieces(data, multiple_of=BASE64_BYTES)]
        return [b'{"$b64":"', *digits, b'"}']


def payload_pieces(
    document: Mapping[str, Any], payloads: Sequence[str], is_plain: bool = False
) -> dict[str, list[bytes]]:
    """The JSON text of each of these fields that is there; by `plain_pieces` where nothing in it needs a look."""
    if is_plain:
        return {name: plain_pieces(document[name]) for name in payloads if name in document}
    return {name: dump_pieces(document[name], values.MAX_DEPTH - 1) for name in payloads if name in document}


def dumps_around(document: Mapping[str, Value], texts: Mapping[str, bytes]) -> bytes:
    """`dumps` of a document of text and numbers, with `texts` in place of the fields of these names."""
    import orjson

    parts = {name: orjson.Fragment(text) for name, text in texts.items()}
    try:
        return orjson.dumps({**document, **parts})
    except TypeError:
        rest = {name: value for name, value in document.items() if name not in texts}
        return orjson.dumps({**document, **values.encode(rest), **parts})


def _may_be_deep(text: bytes, max_depth: int) -> bool:
    """It has as many brackets, be they side by side."""
    if is_large(len(text)):
        return count(text, b"[") + count(text, b"{") > max_depth
    return text.count(b"[") + text.count(b"{") > max_depth


def _may_hold_marks(text: bytes, markers: int) -> bool:
    """A key of the data begins with "$", as only ours do. One letter is looked for first: that costs a tenth."""
    if b"$" not in text:
        return markers != 0
    if is_large(len(text)):
        return count(text, b'{"$') != markers or contains(text, b',"$')
    return text.count(b'{"$') != markers or b',"$' in text


def _not_finite(value: object) -> bool:
    """orjson writes null for NaN and the infinities, without a word."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, float):
            if not math.isfinite(each):
                return True
            continue
        items: Iterable[object] = each if isinstance(each, (list, tuple)) else ()
        if type(each) is dict or isinstance(each, Mapping):  # an abstract class takes ten times as long to ask
            items = each.values()
        # Asked of all types at once, since this runs for every answer that holds a NULL.
        if not _NEVER.issuperset(map(type, items)):
            waiting += [item for item in items if type(item) not in _NEVER]
    return False
