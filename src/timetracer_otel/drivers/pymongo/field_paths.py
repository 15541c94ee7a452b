"""Secret fields that a command names in a value, as `"$password"` or `distinct("password")`: what stands for one in the
replies under another name."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from timetracer_otel.drivers.pymongo.whole_values import NESTED, TEXTS, marked
from timetracer_otel.wire.mongo import bson

if TYPE_CHECKING:
    from timetracer_otel.redaction import Redactor

FIELD: Final = re.compile(rb"\x00\$\$?([\w.]{1,200})\x00")
"""A text that is the path of a field: what stands before a name is a type, and never NUL."""
BY_NAME: Final = (b"$getField\0", b"$rename\0")
"""Operators that name a field without a dollar."""
AS_ID: Final = frozenset({"$sortByCount", "groupBy"})
"""Where a field becomes `_id` without being told so."""
AS_ALL: Final = frozenset({"$replaceWith", "newRoot"})
"""Where a field becomes the whole document."""
STAGES: Final = frozenset(
    {
        *("$addFields", "$bucket", "$bucketAuto", "$facet", "$fill", "$graphLookup", "$group", "$lookup", "$match"),
        *("$project", "$replaceRoot", "$set", "$setOnInsert", "$setWindowFields", "$unionWith", "$unwind"),
    }
)
"""Their members are fields, or pipelines of more stages."""
ARGUMENTS: Final = frozenset(
    {
        *("branches", "case", "default", "else", "field", "if", "in", "initialValue", "input", "inputs", "output"),
        *("then", "value"),
    }
)
"""Names of an operator's arguments: what they give is in the field that the operator makes."""
VALUES: Final = "values"
"""Of the reply to `distinct`."""
ALL: Final = "*"
"""Stands for every name of the documents in a reply."""
DOCUMENTS: Final = frozenset({"firstBatch", "nextBatch", "value"})
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
        rule = redactor.rule_of(text_of(keys[0])) if keys else None
        return {VALUES: rule} if rule is not None else {}
    if first.name == b"getMore":
        return _cursors.get((target, bson.int_of(first.value)), {})
    found: dict[str, str] = {}
    if names_secrets(command, redactor):
        _collect(command, (), found, redactor)
    return found


def names_secrets(command: bytes, redactor: Redactor) -> bool:
    """True if a value of the command may be the path of a secret field."""
    if not redactor.may_name(command):
        return False
    if any(redactor.rule_of(path.decode("utf-8", "replace")) for path in FIELD.findall(command)):
        return True
    return any(name in command for name in BY_NAME)


def remember(reply: bytes, target: str, names: Names) -> None:
    """The names, for the batches that are still to come. Raises WireError."""
    for part in bson.elements(reply):
        if part.name == b"cursor" and part.kind == bson.DOCUMENT:
            number = next((each for each in bson.elements(part.value) if each.name == b"id"), None)
            if number is not None and number.kind == bson.INT64 and bson.int_of(number.value):
                _cursors[target, bson.int_of(number.value)] = names
    while len(_cursors) > CURSORS_MAX:
        _cursors.popitem(last=False)


def _collect(document: bytes, names: tuple[str, ...], found: dict[str, str], redactor: Redactor) -> None:
    """In the order of the stages: a later one may name what an earlier one has made."""
    parts = list(bson.elements(document))
    found.update(_variable(parts, redactor, found))
    for part in parts:
        own = _own(part.text, names)
        if part.kind in NESTED:
            _collect(part.value, own, found, redactor)
            rule = _by_name(part, redactor)
            found.update(_renamed(part, redactor))
        else:
            rule = _by_name(part, redactor) or path_rule(part, redactor, found)
        if rule is not None:
            found.update(dict.fromkeys(own, rule))


def _own(name: str, outer: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the reply under which stands what this member makes."""
    if name in STAGES:
        return ()
    if name in AS_ID or name in AS_ALL:
        return ("_id",) if name in AS_ID else (ALL,)
    if name.startswith("$") or name.isdigit():
        return outer
    return (*outer, name) if name in ARGUMENTS and outer else (name,)


def _variable(parts: list[bson.Element], redactor: Redactor, names: Names) -> Names:
    """`$map`, `$filter` and `$reduce` give each value of a field a name."""
    members = {part.text: part for part in parts}
    rule = path_rule(members["input"], redactor, names) if "input" in members else None
    return {} if rule is None else {text_of(members["as"]) if "as" in members else "this": rule}


def _by_name(part: bson.Element, redactor: Redactor) -> str | None:
    """The rule of the field that `$getField` gives."""
    if part.name != b"$getField":
        return None
    inner = bson.elements(part.value) if part.kind == bson.DOCUMENT else iter((part,))
    return next((redactor.rule_of(text_of(each)) for each in inner if each.name in (part.name, b"field")), None)


def _renamed(part: bson.Element, redactor: Redactor) -> Names:
    if part.name != b"$rename" or part.kind != bson.DOCUMENT:
        return {}
    rules = {text_of(each).rpartition(".")[2]: redactor.rule_of(each.text) for each in bson.elements(part.value)}
    return {name: rule for name, rule in rules.items() if rule is not None}


def path_rule(part: bson.Element, redactor: Redactor, names: Names) -> str | None:
    """Of the secret field whose path this value is; None for any other value. Raises WireError."""
    text = text_of(part)
    if not text.startswith("$"):
        return None
    path = text.lstrip("$")
    return redactor.rule_of(path) or names.get(path.rpartition(".")[2])


def text_of(part: bson.Element) -> str:
    """Of a string; "" of anything else. Raises WireError."""
    return bson.string_of(part.value).decode("utf-8", "replace") if part.kind == bson.STRING else ""


def mask_named(document: bytes, path: str, names: Names, redactor: Redactor, paths: list[str]) -> bytes:
    """A reply in which texts and bytes under these names are masked; numbers may count something, and stay."""
    return bson.joined(_named(document, path, names, redactor, paths, None, is_array=False))


def _named(
    document: bytes, path: str, names: Names, redactor: Redactor, paths: list[str], rule: str | None, is_array: bool
) -> Iterator[bson.Element]:
    for number, part in enumerate(bson.elements(document)):
        step = f"{path}[{number}]" if is_array else f"{path}.{part.text}"
        own = rule or (None if is_array else names.get(part.text))
        if own is None and part.text in DOCUMENTS:
            own = names.get(ALL)
        if part.kind in NESTED:
            inner = _named(part.value, step, names, redactor, paths, own, part.kind == bson.ARRAY)
            yield part._replace(value=bson.joined(inner))
        else:
            yield part if own is None else masked(part, own, step, redactor, paths)


def masked(part: bson.Element, rule: str, path: str, redactor: Redactor, paths: list[str]) -> bson.Element:
    """The element with its text or bytes masked; itself if it has none."""
    if part.kind not in (*TEXTS, bson.BINARY):
        return part
    value = marked(part, rule, redactor)
    if value != part.value:
        paths.append(path)
    return part._replace(value=value)
