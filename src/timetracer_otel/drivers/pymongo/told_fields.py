"""Secrets of which a neighbour in the same document tells: `{"k": "password", "v": X}`, `{"name": ..., "value": ...}`,
and what a server says of a document that its rules refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from timetracer_otel.drivers.pymongo.whole_values import NESTED
from timetracer_otel.redaction.pairs import paired
from timetracer_otel.redaction.signed_members import signed
from timetracer_otel.wire.mongo import bson

if TYPE_CHECKING:
    from timetracer_otel.redaction import Redactor

REFUSED: Final = ("specifiedas", ("consideredvalue", "consideredvalues"))
"""A rule of a collection, and the values that it refuses."""
TEXT: Final = re.compile(rb"\x00([^\x00-\x1f]{1,160})\x00")
"""The text of a string: what stands before it is the last byte of its length."""
SAYING: Final = frozenset({"$eq", "$in", "$literal"})
PAIRED: Final = b"$arrayToObject"
"""Its operand holds pairs of a name and a value, which are arrays."""

Rules = Mapping[int, str]
"""The rule of a value by its place in the document."""


def may_tell(document: bytes, redactor: Redactor) -> bool:
    """False if no value in the document is the name of a secret."""
    return any(redactor.rule_of(text.decode("utf-8", "replace")) for text in TEXT.findall(document))


def told(parts: Sequence[bson.Element], redactor: Redactor) -> Rules:
    """Of the members of one document. Raises WireError."""
    members = {part.text.lower(): number for number, part in enumerate(parts)}
    named = paired(members, lambda member: _rule(_said(parts[members[member]]), redactor))
    signatures = signed(members, lambda member: _text(parts[members[member]]))
    rules = {members[member]: rule for member, rule in {**named, **signatures}.items()}
    return {**rules, **_refused(parts, members, redactor)}


def told_in_pair(parts: Sequence[bson.Element], redactor: Redactor) -> Rules:
    """Of a pair of `$arrayToObject`: `["password", X]`. The path of a field is no value. Raises WireError."""
    if len(parts) != 2 or (parts[1].kind == bson.STRING and bson.string_of(parts[1].value).startswith(b"$")):
        return {}
    rule = _rule(_said(parts[0]), redactor)
    return {1: rule} if rule is not None else {}


def _text(part: bson.Element) -> bytes | None:
    return bson.string_of(part.value) if part.kind == bson.STRING else None


def _rule(names: Iterator[str], redactor: Redactor) -> str | None:
    return next(filter(None, map(redactor.rule_of, names)), None)


def _said(part: bson.Element) -> Iterator[str]:
    """The texts that a member has, or that it is compared with."""
    if part.kind == bson.STRING:
        yield bson.string_of(part.value).decode("utf-8", "replace")
    elif part.kind in NESTED:
        inner = (each for each in bson.elements(part.value) if part.kind == bson.ARRAY or each.text in SAYING)
        for each in inner:
            yield from _said(each)


def _refused(parts: Sequence[bson.Element], members: Mapping[str, int], redactor: Redactor) -> Rules:
    said, values = REFUSED
    found = [members[each] for each in values if each in members]
    if not found or said not in members or parts[members[said]].kind not in NESTED:
        return {}
    rule = _rule(_names(parts[members[said]].value), redactor)
    return dict.fromkeys(found, rule) if rule is not None else {}


def _names(document: bytes) -> Iterator[str]:
    for part in bson.elements(document):
        yield part.text
        if part.kind in NESTED:
            yield from _names(part.value)
