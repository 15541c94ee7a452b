"""What an expression of a command compares a secret field with, or makes of it: `{"$eq": ["$password", X]}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from timetracer_otel.drivers.pymongo.field_paths import STAGES, Names, masked, path_rule, text_of
from timetracer_otel.drivers.pymongo.whole_values import NESTED
from timetracer_otel.wire.mongo import bson

if TYPE_CHECKING:
    from timetracer_otel.redaction import Redactor

CONTAINERS: Final = frozenset(
    {
        *("$addToSet", "$and", "$cond", "$elemMatch", "$expr", "$filter", "$let", "$map", "$mergeObjects", "$nor"),
        *("$not", "$or", "$push", "$reduce", "$replaceWith", "$switch"),
    }
)
"""Operators that hold expressions, which are looked at one by one."""


def mask_operands(command: bytes, path: str, names: Names, redactor: Redactor, paths: list[str]) -> bytes:
    """The command with the texts masked that stand in an operator with a secret field. `names`: those that stand for
    one. Raises WireError."""
    return bson.joined(_operands(command, path, names, redactor, paths, is_array=False))


def _operands(
    document: bytes, path: str, names: Names, redactor: Redactor, paths: list[str], is_array: bool
) -> Iterator[bson.Element]:
    for number, part in enumerate(bson.elements(document)):
        if part.kind not in NESTED:
            yield part
            continue
        step = f"{path}[{number}]" if is_array else f"{path}.{part.text}"
        rule = _mentioned(part.value, names, redactor) if _is_operator(part) else None
        inner = (
            _operands(part.value, step, names, redactor, paths, part.kind == bson.ARRAY)
            if rule is None
            else _literals(part.value, rule, step, redactor, paths, part.kind == bson.ARRAY)
        )
        yield part._replace(value=bson.joined(inner))


def _is_operator(part: bson.Element) -> bool:
    return part.name.startswith(b"$") and part.text not in STAGES and part.text not in CONTAINERS


def _mentioned(document: bytes, names: Names, redactor: Redactor) -> str | None:
    """The rule of the first secret field in it."""
    for part in bson.elements(document):
        nested = part.kind in NESTED
        rule = _mentioned(part.value, names, redactor) if nested else path_rule(part, redactor, names)
        if rule is not None:
            return rule
    return None


def _literals(
    document: bytes, rule: str, path: str, redactor: Redactor, paths: list[str], is_array: bool
) -> Iterator[bson.Element]:
    for number, part in enumerate(bson.elements(document)):
        step = f"{path}[{number}]" if is_array else f"{path}.{part.text}"
        if part.kind in NESTED:
            inner = _literals(part.value, rule, step, redactor, paths, part.kind == bson.ARRAY)
            yield part._replace(value=bson.joined(inner))
        else:
            yield part if text_of(part).startswith("$") else masked(part, rule, step, redactor, paths)
