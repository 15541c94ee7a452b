"""Secrets out of commands and replies: what a name says is one, then what looks like one. Lengths are made anew.

Most documents hold none, and are not taken apart: their names are looked for in the bytes, and their text at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.pymongo import field_paths, told_fields
from timetracer_otel.drivers.pymongo.forms import COMMAND, REPLIES
from timetracer_otel.drivers.pymongo.inside import CODE, SCOPE, documents_in
from timetracer_otel.drivers.pymongo.operands import mask_operands
from timetracer_otel.drivers.pymongo.whole_values import NESTED, TEXTS, UUIDS, binary, content_of, marked
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
MORE: Final = b"\x12getMore\0"
"""Begins a command whose reply holds what an earlier one has asked for."""
END_BYTES: Final = 512
REMEMBERED_MAX: Final = 100
"""Names of a document for which is remembered what they decide: commands and replies of one call are alike."""
ASSIGNING: Final = b"='\"<$"
"""Without these only what has a shape of its own is a secret (`Redactor.suspicious`)."""


def mask(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
    """The same with secrets masked, and the paths that hold a marker now."""
    if _is_clean(encoded, redactor):
        return encoded, ()
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


def _is_clean(encoded: Encoded, redactor: Redactor) -> bool:
    """True if nothing in it is to be masked, which is never wrong: one look at all of it, as most exchanges need."""
    command, replies = encoded.request.get(COMMAND), encoded.result.get(REPLIES, ())
    if redactor.has_places or "lost" in encoded.result or not isinstance(replies, (list, tuple)):
        return False
    documents = [each for each in (command, *replies) if isinstance(each, bytes)]
    if len(documents) <= len(replies) or MORE in documents[0]:
        return False
    if any(secret in document for secret in redactor.known() for document in documents):
        return False
    clockless = b"".join(map(_without_clock, documents))
    return not (redactor.may_name(clockless) or redactor.shaped(clockless))


def _mask_paths(
    request: dict[str, Value], result: dict[str, Value], target: str, redactor: Redactor, paths: list[str]
) -> None:
    """Secret fields that a value names: see `field_paths`."""
    command, replies = request.get(COMMAND), result.get(REPLIES)
    if not isinstance(command, bytes):
        return
    names = field_paths.names_of(command, target, redactor)
    if field_paths.names_secrets(command, redactor):
        request[COMMAND] = mask_operands(command, f"request.{COMMAND}", names, redactor, paths)
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
    if not redactor.may_name(clockless):
        return redactor.shaped(clockless)
    is_named, plain = _names_of(document, redactor)
    if is_named or told_fields.may_tell(document, redactor):
        return True
    if not redactor.suspicious(clockless):
        return False
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
    is_named = any(redactor.may_tell(name[1:-1].decode("utf-8", "replace")) for name in names)
    return is_named, tuple(name for name in names[:NAMES_MAX] if PLAIN.fullmatch(name))


_remembered: Final = lru_cache(maxsize=1024)(_decided)


@dataclass(slots=True)
class _Walk:
    redactor: Redactor
    paths: list[str]
    has_hit: bool = field(default=False)

    def document(self, data: bytes, path: str, rule: str | None, is_array: bool, has_pairs: bool = False) -> bytes:
        """`has_pairs`: its arrays may be pairs of a name and a value. Raises WireError."""
        parts = list(bson.elements(data))
        told = {} if rule is not None else self._told(parts, is_array, has_pairs)
        steps = (f"{path}[{number}]" if is_array else f"{path}.{part.text}" for number, part in enumerate(parts))
        return bson.joined(
            self._element(part, step, rule or told.get(number), has_pairs)
            for number, (part, step) in enumerate(zip(parts, steps, strict=True))
        )

    def _told(self, parts: Sequence[bson.Element], is_array: bool, has_pairs: bool) -> told_fields.Rules:
        if not is_array:
            return told_fields.told(parts, self.redactor)
        return told_fields.told_in_pair(parts, self.redactor) if has_pairs else {}

    def _element(self, part: bson.Element, path: str, rule: str | None, has_pairs: bool = False) -> bson.Element:
        rule = rule or self.redactor.rule_of(part.text) or self.redactor.rule_at(path)
        if part.kind in NESTED:
            has_pairs = has_pairs or part.name == told_fields.PAIRED
            return part._replace(value=self.document(part.value, path, rule, part.kind == bson.ARRAY, has_pairs))
        if part.kind == bson.CODE_WITH_SCOPE:
            return part._replace(value=self._code(part.value, path, rule))
        if rule is None and (inside := documents_in(part)):
            return part._replace(value=self._inside(part.value, inside, path))
        value = self._by_pattern(part, path) if rule is None else marked(part, rule, self.redactor)
        return part if value == part.value else self._hit(part, value, path)

    def _hit(self, part: bson.Element, value: bytes, path: str) -> bson.Element:
        self.has_hit = True
        self.paths.append(path)
        return part._replace(value=value)

    def _code(self, value: bytes, path: str, rule: str | None) -> bytes:
        code, scope = bson.code_of(value)
        text = bson.Element(bson.CODE, CODE, bson.string(code))
        masked = self._element(text, f"{path}.{text.text}", rule)
        return bson.code(
            bson.string_of(masked.value), self.document(scope, f"{path}.{SCOPE.decode()}", rule, is_array=False)
        )

    def _inside(self, value: bytes, documents: Iterable[bytes], path: str) -> bytes:
        masked = (self.document(each, f"{path}[{at}]", None, is_array=False) for at, each in enumerate(documents))
        return binary(b"".join(masked), value[4])

    def _by_pattern(self, part: bson.Element, path: str) -> bytes:
        if part.kind in TEXTS:
            text = bson.string_of(part.value)
            masked = self._leaf(text, path)
            return part.value if masked == text else bson.string(masked)
        if part.kind == bson.BINARY and part.value[4] not in UUIDS:
            subtype, data = content_of(part.value)
            masked = self._leaf(data, path)
            return part.value if masked == data else binary(masked, subtype)
        return self.redactor.data(part.value) if part.kind == bson.REGEX else part.value

    def _leaf(self, data: bytes, path: str) -> bytes:
        """Text, and JSON in text, by pattern; what is known as a secret by its value."""
        known = self.redactor.known().get(data)
        if known is not None:
            return known
        masked, _ = self.redactor.value(data, path)
        return masked if isinstance(masked, bytes) else data
