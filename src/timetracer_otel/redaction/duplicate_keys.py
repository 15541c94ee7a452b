"""Values in what a server of MongoDB before 4.2 says of a duplicate: it names the index, and no field.

`E11000 duplicate key error collection: shop.users index: email_1_token_1 dup key: { : "a@b.c", : "x" }`
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from timetracer_otel.redaction.markers import Mark
from timetracer_otel.redaction.names import Names
from timetracer_otel.redaction.shapes import Expression, Match, replaced

RULE: Final = "secret"
"""Of an index with a name of its own that tells of one."""
NEXT: Final = b", : "
# To the last bracket of the line, since a value may hold one; such a server takes no key above 1024 bytes.
_SAID: Final = re.compile(rb"index: (?P<index>\S{1,200})\s{1,4}dup key: \{ : (?P<values>[^\r\n]{0,2048})(?= \})")
_FIELD: Final = re.compile(r"(?P<name>.+?)_(?:-?1|text|hashed|2d|2dsphere)(?:_|\Z)")
_QUOTED: Final = re.compile(rb"(?P<quote>\\*[\"'])(?P<value>.*)(?P=quote)", re.DOTALL)


def duplicate_keys(names: Names) -> Expression:
    """The shape, for these names."""
    return Expression((b" dup key: { : ",), _SAID, partial(_masked, names), by_name=True)


def _masked(names: Names, match: Match, mark: Mark) -> bytes:
    rules, values = _rules(match["index"], names), match["values"].split(NEXT)
    if not any(rules):
        return match[0]
    if len(values) != len(rules):
        rules, values = [next(filter(None, rules))], [match["values"]]
    pairs = zip(rules, values, strict=True)
    return replaced(
        match, "values", NEXT.join(each if rule is None else _value(each, rule, mark) for rule, each in pairs)
    )


def _rules(index: bytes, names: Names) -> list[str | None]:
    """Of its fields, which its name says unless somebody gave it one: `shop.users.$email_1_token_1`."""
    name = index.decode("latin-1").rpartition(".$")[2]
    if _FIELD.sub("", name):
        return [RULE if names.holds(index) else None]
    return [names.rule_of(field["name"]) for field in _FIELD.finditer(name)]


def _value(value: bytes, rule: str, mark: Mark) -> bytes:
    quoted = _QUOTED.fullmatch(value)
    return mark(rule, value) if quoted is None else replaced(quoted, "value", mark(rule, quoted["value"]))
