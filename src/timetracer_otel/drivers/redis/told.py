"""Commands of others, as a server tells of them: lines of MONITOR, entries of SLOWLOG and COMMANDLOG."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import Value
from timetracer_otel.wire.redis.readable import text

Mask: TypeAlias = Callable[[Sequence[bytes]], Sequence[bytes]]
"""A command with its secrets masked."""
LOGS: Final = frozenset({b"SLOWLOG", b"COMMANDLOG"})
_WORD: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_NAMED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}
_ARGUMENTS: Final = 3
"""Place in an entry: id, time, duration, the command. Source: SLOWLOG GET."""


def masked_line(line: bytes, mask: Mask) -> bytes:
    """`1339518083.107412 [0 127.0.0.1:60866] "set" "k" "v"`; the same object where nothing is masked."""
    found = list(_WORD.finditer(line))
    words = [_plain(each[1]) for each in found]
    masked = mask(words)
    pieces, at = list[bytes](), 0
    for place, old, new in zip(found, words, masked, strict=True):
        pieces += [line[at : place.start(1)], place[1] if old == new else new]  # a marker needs no escapes
        at = place.end(1)
    return line if list(masked) == words else b"".join([*pieces, line[at:]])


def _plain(quoted: bytes) -> bytes:
    return _ESCAPE.sub(_unescaped, quoted)


def _unescaped(found: re.Match[bytes]) -> bytes:
    sign = found[1]
    return bytes([int(sign[1:], 16)]) if len(sign) == 3 else _NAMED.get(sign, sign)


def masked_log(entries: Value, mask: Mask) -> Value:
    """A reply to SLOWLOG GET."""
    return [_entry(each, mask) for each in entries] if isinstance(entries, list) else entries


def _entry(entry: Value, mask: Mask) -> Value:
    if not isinstance(entry, list) or len(entry) <= _ARGUMENTS or not isinstance(entry[_ARGUMENTS], list):
        return entry
    words = [each.encode("utf-8", "surrogatepass") if isinstance(each, str) else each for each in entry[_ARGUMENTS]]
    if not all(isinstance(each, bytes) for each in words):
        return entry
    masked: Value = [text(each) for each in mask(words)]
    return [*entry[:_ARGUMENTS], masked, *entry[_ARGUMENTS + 1 :]]
