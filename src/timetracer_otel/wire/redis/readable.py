"""One frame as plain data, for people and for masking; `encode(decode(frame))` gives the same bytes, or `decode` is
`{"raw": frame}`.

A bulk string is text, or bytes where it is no UTF-8; a number of RESP an integer; an array a list; `$-1` is null; a
boolean of RESP3 is one. Every other type is an object under its own sign: `{"+": "OK"}`, `{"-": "ERR ..."}`,
`{"%": [[key, value], ...]}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.redis.frames import AGGREGATES, BULKS, END

DEPTH_MAX: Final = 32
RAW: Final = "raw"
PAIRS: Final = (b"%", b"|")
VALUE: Final = "value"
"""Beside `|`: what the attribute describes."""
BOOLEANS: Final = {b"t": True, b"f": False}


class _TooDeep(Exception):
    pass


def decode(frame: bytes) -> Value:
    """A whole frame, as `frames.FrameReader` gives it."""
    try:
        value, _ = _read(frame, 0, DEPTH_MAX)
        is_exact = encode(value) == frame
    except (_TooDeep, Unconvertible, ValueError):
        is_exact = False
    return value if is_exact else {RAW: frame}


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    end = data.find(END, at)
    kind, head, behind = data[at : at + 1], data[at + 1 : end], end + len(END)
    if kind in AGGREGATES:
        return _aggregate(data, kind, int(head), behind, depth)
    if kind in BULKS:
        if head == b"-1":
            return None, behind
        stop = behind + int(head)
        body = text(data[behind:stop])
        return (body if kind == b"$" else {kind.decode(): body}), stop + len(END)
    if kind == b":":
        return int(head), behind
    if kind == b"#":
        return BOOLEANS.get(head), behind
    return {kind.decode(): text(head)}, behind


def _aggregate(data: bytes, kind: bytes, count: int, at: int, depth: int) -> tuple[Any, int]:
    if depth <= 0:
        raise _TooDeep
    if count < 0:
        return {"*": None}, at
    found: list[Any] = []
    for _ in range(count * AGGREGATES[kind]):
        item, at = _read(data, at, depth - 1)
        found.append(item)
    if kind == b"*":
        return found, at
    if kind not in PAIRS:
        return {kind.decode(): found}, at
    pairs: Value = [found[number : number + 2] for number in range(0, len(found), 2)]
    if kind == b"%":
        return {"%": pairs}, at
    value, at = _read(data, at, depth - 1)
    return {"|": pairs, VALUE: value}, at


def text(raw: bytes) -> str | bytes:
    """As text where it is UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def encode(value: Value) -> bytes:
    """The frame of what `decode` gave. Raises Unconvertible on anything else."""
    if isinstance(value, (str, bytes)):
        return _bulk(b"$", value)
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, bool):
        return b"#t\r\n" if value else b"#f\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, Mapping):
        return _signed(value)
    if isinstance(value, Sequence):
        return b"*%d\r\n" % len(value) + b"".join(map(encode, value))
    raise Unconvertible(f"a reply of type {type(value).__name__}")


def _signed(value: Mapping[str, Value]) -> bytes:
    sign = next(iter(value), "")
    content = value.get(sign)
    if sign == RAW and isinstance(content, bytes):
        return content
    writer = _WRITERS.get(sign)
    if writer is None:
        raise Unconvertible(f"a reply under {sign!r:.20}, which is no sign of RESP")
    return writer(sign.encode(), content) + (encode(value.get(VALUE)) if sign == "|" else b"")


def _bulk(sign: bytes, content: Value) -> bytes:
    raw = _raw(content)
    return b"%b%d\r\n%b\r\n" % (sign, len(raw), raw)


def _line(sign: bytes, content: Value) -> bytes:
    return sign + _raw(content) + END


def _items(sign: bytes, content: Value) -> bytes:
    if content is None:
        return b"*-1\r\n"
    if isinstance(content, (str, bytes)) or not isinstance(content, Sequence):
        raise Unconvertible(f"a reply under {sign!r} that is no list")
    return b"%b%d\r\n" % (sign, len(content)) + b"".join(map(encode, content))


def _pairs(sign: bytes, content: Value) -> bytes:
    if isinstance(content, (str, bytes)) or not isinstance(content, Sequence):
        raise Unconvertible(f"a reply under {sign!r} that is no list")
    flat = [item for pair in content if isinstance(pair, Sequence) for item in pair]
    return b"%b%d\r\n" % (sign, len(content)) + b"".join(map(encode, flat))


def _raw(content: Value) -> bytes:
    if isinstance(content, str):
        return content.encode("utf-8", "surrogatepass")
    if isinstance(content, bytes):
        return content
    raise Unconvertible(f"a reply whose text is {type(content).__name__}")


_WRITERS: Final[dict[str, Callable[[bytes, Value], bytes]]] = {
    **dict.fromkeys("+-_,(", _line),
    **dict.fromkeys("=!", _bulk),
    **dict.fromkeys("~>*", _items),
    **dict.fromkeys("%|", _pairs),
}
