"""Secrets out of commands and replies: what a name says is one, then what looks like one. Lengths are made anew.

Most documents hold none, and are not taken apart: their names are looked for in the bytes, and their text at once.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.base import Encoded
from timetracer_otel.drivers.pymongo import field_paths
from timetracer_otel.drivers.pymongo.field_paths import TEXTS, UUIDS, binary, marked_binary, marked_string
from timetracer_otel.drivers.pymongo.forms import COMMAND, REPLIES
from timetracer_otel.wire.mongo import bson

if TYPE_CHECKING:
    from timetracer_otel.redaction import Redactor

NAMES: Final = re.compile(rb"[\x01-\x13\x7f\xff][^\x00-\x1f]{1,512}\x00")
"""A type and a name: finds every name in a document, and now and then the last line of a text."""
PLAIN: Final = re.compile(rb".\$?[\w.\-]*.", re.DOTALL)
"""A type and a name in which nothing can be assigned to anything."""
NAMES_MAX: Final = 48
"""Of one document, the most frequent first; with the others in place a document may be looked through for nothing."""
CLOCK: Final = (b"\x03$clusterTime\0", b"\x03signature\0", b"\x12keyId\0")
"""Names in every reply of a replica set, which sound like secrets."""
END_BYTES: Final = 512
REMEMBERED_MAX: Final = 100
"""Names of a document for which is remembered what they decide: commands and replies of one call are alike."""
ASSIGNING: Final = b"='\"<$"
"""Without these only what has a shape of its own is a secret (`Redactor.suspicious`)."""


def mask(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
    """The same with secrets masked, and the paths that hold a marker now."""
    paths: list[str] = []
    request, result = dict(encoded.request), dict(encoded.result)
    _mask_paths(request, result, encoded.target or "", redactor, paths)
    for payload, name in ((request, COMMAND), (result, REPLIES)):
        where = "request" if payload is request else "result"
        payload.update(_masked(payload, name, f"{where}.{name}", redactor, paths))
    lost = result.get("lost")
    if isinstance(lost, str):
        result["lost"] = redactor.text(lost)
    if not paths and lost == result.get("lost"):
        return encoded, ()
    return replace(encoded, request=request, result=result), tuple(dict.fromkeys(paths))


def _mask_paths(
    request: dict[str, Value], result: dict[str, Value], target: str, redactor: Redactor, paths: list[str]
) -> None:
    """Secret fields that a value names: see `field_paths`."""
    command, replies = request.get(COMMAND), result.get(REPLIES)
    if not isinstance(command, bytes):
        return
    names = field_paths.names_of(command, target, redactor)
    if field_paths.names_secrets(command, redactor):
        request[COMMAND] = field_paths.mask_operands(command, f"request.{COMMAND}", redactor, paths)
    if names and isinstance(replies, list):
        for reply in replies:
            field_paths.remember(reply, target, names)
        result[REPLIES] = [
            field_paths.mask_named(reply, f"result.{REPLIES}[{number}]", names, redactor, paths)
            for number, reply in enumerate(replies)
        ]


def _masked(payload: Payload, name: str, path: str, redactor: Redactor, paths: list[str]) -> dict[str, Value]:
    found = payload.get(name)
    if isinstance(found, bytes):
        return {name: masked_document(found, path, redactor, paths)}
    if isinstance(found, list):
        return {name: [masked_document(each, f"{path}[{at}]", redactor, paths) for at, each in enumerate(found)]}
    return {}


def masked_document(document: bytes, path: str, redactor: Redactor, paths: list[str]) -> bytes:
    """The document masked; itself where nothing hits. Adds to `paths`."""
    if not _may_hold_secrets(document, redactor):
        return document
    walk = _Walk(redactor, paths)
    masked = walk.document(document, path, None, is_array=False)
    return masked if walk.has_hit else document


def _may_hold_secrets(document: bytes, redactor: Redactor) -> bool:
    if redactor.has_places or any(secret in document for secret in redactor.known()):
        return True
    clockless = _without_clock(document)
    if redactor.may_name(clockless) and _names_of(document, redactor)[0]:
        return True
    if not redactor.suspicious(clockless):
        return False
    _, plain = _names_of(document, redactor)
    # A name beside a text is no assignment inside a text; and the line of a text may look like a name.
    assignments = _without(plain, document)
    return redactor.suspicious(document.translate(None, ASSIGNING)) or redactor.suspicious(assignments)


def _without_clock(document: bytes) -> bytes:
    """Without its names where the driver and servers put them: at one of the ends."""
    if len(document) <= 2 * END_BYTES:
        return _without(CLOCK, document)
    start, middle, end = document[:END_BYTES], document[END_BYTES:-END_BYTES], document[-END_BYTES:]
    return b"".join((_without(CLOCK, start), middle, _without(CLOCK, end)))


def _names_of(document: bytes, redactor: Redactor) -> tuple[bool, tuple[bytes, ...]]:
    found = tuple(NAMES.findall(document))
    return (_remembered if len(found) <= REMEMBERED_MAX else _decided)(found, redactor)


def _without(names: Iterable[bytes], document: bytes) -> bytes:
    for name in names:
        document = document.replace(name, b"\0")
    return document


def _decided(found: tuple[bytes, ...], redactor: Redactor) -> tuple[bool, tuple[bytes, ...]]:
    """Whether one of these names is that of a secret, and the most frequent of those in which nothing is assigned."""
    names = [name for name, _ in Counter(found).most_common() if not name[1:-1].isdigit()]
    is_named = any(redactor.rule_of(name[1:-1].decode("utf-8", "replace")) is not None for name in names)
    return is_named, tuple(name for name in names[:NAMES_MAX] if PLAIN.fullmatch(name))


_remembered: Final = lru_cache(maxsize=1024)(_decided)


@dataclass(slots=True)
class _Walk:
    redactor: Redactor
    paths: list[str]
    has_hit: bool = field(default=False)

    def document(self, data: bytes, path: str, rule: str | None, is_array: bool) -> bytes:
        masked = [
            self._element(part, f"{path}[{number}]" if is_array else f"{path}.{part.text}", rule)
            for number, part in enumerate(bson.elements(data))
        ]
        return bson.joined(masked)

    def _element(self, part: bson.Element, path: str, rule: str | None) -> bson.Element:
        rule = rule or self.redactor.rule_of(part.text) or self.redactor.rule_at(path)
        if part.kind in (bson.DOCUMENT, bson.ARRAY):
            inner = self.document(part.value, path, rule, part.kind == bson.ARRAY)
            return part if inner == part.value else part._replace(value=inner)
        value = self._by_pattern(part, path) if rule is None else self._by_name(part, rule)
        if value == part.value:
            return part
        self.has_hit = True
        self.paths.append(path)
        return part._replace(value=value)

    def _by_name(self, part: bson.Element, rule: str) -> bytes:
        whole = _WHOLE.get(part.kind)
        return part.value if whole is None else whole(part.value, rule, self.redactor)

    def _by_pattern(self, part: bson.Element, path: str) -> bytes:
        if part.kind in TEXTS:
            text = bson.string_of(part.value)
            masked = self._leaf(text, path)
            return part.value if masked == text else bson.string(masked)
        if part.kind == bson.BINARY and part.value[4] not in UUIDS:
            data = part.value[5:]
            masked = self._leaf(data, path)
            return part.value if masked == data else binary(masked, part.value[4])
        return self.redactor.data(part.value) if part.kind == bson.REGEX else part.value

    def _leaf(self, data: bytes, path: str) -> bytes:
        """Text, and JSON in text, by pattern; what is known as a secret by its value."""
        known = self.redactor.known().get(data)
        if known is not None:
            return known
        masked, _ = self.redactor.value(data, path)
        return masked if isinstance(masked, bytes) else data


# ---- whole values ----------------------------------------------------------------------------------------------------


def _marked_int(size: int) -> Callable[[bytes, str, Redactor], bytes]:
    def masked(value: bytes, rule: str, redactor: Redactor) -> bytes:
        digits = str(bson.int_of(value)).encode()
        number = redactor.stand_in(rule, digits, "int4" if size == 4 else "int8")
        return number.to_bytes(size, "little")

    return masked


def _marked_double(value: bytes, rule: str, redactor: Redactor) -> bytes:
    spelled = repr(struct.unpack("<d", value)[0]).encode()
    return struct.pack("<d", float(redactor.stand_in(rule, spelled, "int4")))


def _marked_regex(value: bytes, rule: str, redactor: Redactor) -> bytes:
    pattern, options, _ = value.split(b"\0")
    return redactor.marker(rule, pattern).encode() + b"\0" + options + b"\0"


_WHOLE: Final[dict[int, Callable[[bytes, str, Redactor], bytes]]] = {
    **dict.fromkeys(TEXTS, marked_string),
    bson.BINARY: marked_binary,
    bson.INT32: _marked_int(4),
    bson.INT64: _marked_int(8),
    bson.DOUBLE: _marked_double,
    bson.REGEX: _marked_regex,
}
"""By type; the others are no secrets whatever their name: null, booleans, dates, ObjectIds."""
