"""Secret fields that a command names in a value, as `"$password"` or `distinct("password")`: what is compared with one,
and what stands for one in the replies under another name."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from timetracer_otel.wire.mongo import bson

if TYPE_CHECKING:
    from timetracer_otel.redaction import Redactor

FIELD: Final = re.compile(rb"\x00\$([\w.]{1,200})\x00")
"""A text that is the path of a field: what stands before a name is a type, and never NUL."""
AS_ID: Final = frozenset({"$sortByCount", "groupBy"})
"""Where a field becomes `_id` without being told so."""
VALUES: Final = "values"
"""Of the reply to `distinct`."""
TEXTS: Final = (bson.STRING, bson.CODE, bson.SYMBOL)
NESTED: Final = (bson.DOCUMENT, bson.ARRAY)
UUIDS: Final = (3, 4)
"""Subtypes of binary values."""
CURSORS_MAX: Final = 1000

_cursors: Final[OrderedDict[tuple[str, int], Mapping[str, str]]] = OrderedDict()
"""What the further batches of a cursor hold, by server and number of the cursor."""

Names = Mapping[str, str]
"""Of a reply: which of its names stand for a secret field, and the rule of that."""


def names_of(command: bytes, target: str, redactor: Redactor) -> Names:
    """Which names of the reply stand for secret fields. Raises WireError."""
    first = next(bson.elements(command), None)
    if first is None:
        return {}
    if first.name == b"distinct":
        keys = [part for part in bson.elements(command) if part.name == b"key" and part.kind == bson.STRING]
        rule = redactor.rule_of(_text(keys[0])) if keys else None
        return {VALUES: rule} if rule is not None else {}
    if first.name == b"getMore":
        return _cursors.get((target, bson.int_of(first.value)), {})
    found: dict[str, str] = {}
    if names_secrets(command, redactor):
        _collect(command, "", found, redactor)
    return found


def names_secrets(command: bytes, redactor: Redactor) -> bool:
    """True if a value of the command may be the path of a secret field."""
    return any(redactor.rule_of(path.decode("utf-8", "replace")) for path in FIELD.findall(command))


def remember(reply: bytes, target: str, names: Names) -> None:
    """The names, for the batches that are still to come. Raises WireError."""
    for part in bson.elements(reply):
        if part.name == b"cursor" and part.kind == bson.DOCUMENT:
            number = next((each for each in bson.elements(part.value) if each.name == b"id"), None)
            if number is not None and number.kind == bson.INT64 and bson.int_of(number.value):
                _cursors[target, bson.int_of(number.value)] = names
    while len(_cursors) > CURSORS_MAX:
        _cursors.popitem(last=False)


def _collect(document: bytes, name: str, found: dict[str, str], redactor: Redactor) -> None:
    """In the order of the stages: a later one may name what an earlier one has made."""
    for part in bson.elements(document):
        own = "_id" if part.text in AS_ID else name if part.text.startswith("$") or part.text.isdigit() else part.text
        if part.kind in NESTED:
            _collect(part.value, own, found, redactor)
        elif (rule := _rule(part, redactor, found)) is not None:
            found[own] = rule


def _rule(part: bson.Element, redactor: Redactor, names: Names) -> str | None:
    """Of the field whose path this is; None for any other value."""
    text = _text(part) if part.kind == bson.STRING else ""
    if not text.startswith("$"):
        return None
    return redactor.rule_of(text[1:]) or names.get(text.rpartition(".")[2].lstrip("$"))


def _text(part: bson.Element) -> str:
    return bson.string_of(part.value).decode("utf-8", "replace")


# ---- masking ---------------------------------------------------------------------------------------------------------


def mask_operands(document: bytes, path: str, redactor: Redactor, paths: list[str]) -> bytes:
    """A command in which the texts are masked that stand in one list with the path of a secret field."""
    return bson.joined(_operands(document, path, redactor, paths, is_array=False))


def _operands(
    document: bytes, path: str, redactor: Redactor, paths: list[str], is_array: bool
) -> Iterator[bson.Element]:
    parts = list(bson.elements(document))
    rules = filter(None, (_rule(part, redactor, {}) for part in parts)) if is_array else iter(())
    rule = next(rules, None)
    for number, part in enumerate(parts):
        step = f"{path}[{number}]" if is_array else f"{path}.{part.text}"
        if part.kind in NESTED:
            inner = _operands(part.value, step, redactor, paths, part.kind == bson.ARRAY)
            yield part._replace(value=bson.joined(inner))
        elif rule is not None and part.kind == bson.STRING and not _text(part).startswith("$"):
            yield _put(part, marked_string(part.value, rule, redactor), step, paths)
        else:
            yield part


def mask_named(document: bytes, path: str, names: Names, redactor: Redactor, paths: list[str]) -> bytes:
    """A reply in which texts and bytes under these names are masked; numbers may count something, and stay."""
    return bson.joined(_named(document, path, names, redactor, paths, None, is_array=False))


def _named(
    document: bytes, path: str, names: Names, redactor: Redactor, paths: list[str], rule: str | None, is_array: bool
) -> Iterator[bson.Element]:
    for number, part in enumerate(bson.elements(document)):
        step = f"{path}[{number}]" if is_array else f"{path}.{part.text}"
        own = rule or (None if is_array else names.get(part.text))
        if part.kind in NESTED:
            inner = _named(part.value, step, names, redactor, paths, own, part.kind == bson.ARRAY)
            yield part._replace(value=bson.joined(inner))
        elif own is not None and part.kind in (*TEXTS, bson.BINARY):
            mark = marked_binary if part.kind == bson.BINARY else marked_string
            yield _put(part, mark(part.value, own, redactor), step, paths)
        else:
            yield part


def _put(part: bson.Element, value: bytes, path: str, paths: list[str]) -> bson.Element:
    if value != part.value:
        paths.append(path)
    return part._replace(value=value)


def marked_string(value: bytes, rule: str, redactor: Redactor) -> bytes:
    text = bson.string_of(value)
    return bson.string(redactor.marker(rule, text).encode()) if text else value


def marked_binary(value: bytes, rule: str, redactor: Redactor) -> bytes:
    subtype, data = value[4], value[5:]
    if subtype in UUIDS and len(data) == 16:
        return binary(redactor.stand_in(rule, data, "uuid"), subtype)
    return binary(redactor.marker(rule, data).encode(), 0 if subtype == 2 else subtype) if data else value


def binary(data: bytes, subtype: int) -> bytes:
    return len(data).to_bytes(4, "little") + bytes([subtype]) + data
