"""Secrets of which something beside them tells: the name of a pair, the attribute that an expression sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.botocore import sql_members
from timetracer_otel.redaction import Redactor
from timetracer_otel.redaction.pairs import NAMING, PAIRS, paired

PAIRED: Final = re.compile(rf'"(?:{"|".join(sorted(NAMING))})"\s*:\s*"([^"\\]{{1,512}})"'.encode(), re.IGNORECASE)
SPELLED: Final = (
    *(f'"{told}"' for told in {told for _, told in PAIRS}),
    *(f'"{name.lower()}"' for name in {*sql_members.COLUMNS, sql_members.METADATA}),
)
"""Of a pair the other member, or what names the columns of an answer."""
NO_COLUMNS: Final[Mapping[int, str]] = {}
PLACEHOLDERS: Final = "ExpressionAttributeValues"
POSITIONED: Final = "Statement"
"""Of PartiQL, with `Parameters` for its question marks."""
EXPRESSIONS: Final = ("UpdateExpression", "ConditionExpression", "FilterExpression", "KeyConditionExpression")
KEYWORDS: Final = frozenset({"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"})
CLAUSE: Final = re.compile(r",|\b(?:AND|OR|SET|REMOVE|ADD|DELETE)\b", re.IGNORECASE)
TOKEN: Final = re.compile(r"(?P<value>:\w+)|\w+\s*\(|(?P<attribute>[#\w][\w.#\[\]-]*)")
POSITION: Final = re.compile(r"'(?P<text>[^']*)'|(?P<name>\"?[A-Za-z_][\w.]*\"?)|(?P<place>\?)")


def told(value: Value, service: str, redactor: Redactor) -> Iterator[tuple[Value, str, str]]:
    """Of each mapping in `value` that tells of a secret: the mapping, the member, and the rule."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            yield from ((found, member, rule) for member, rule in _paired(found, redactor))
            if service == "dynamodb":
                yield from _expressed(found, redactor)
            waiting += found.values()
        elif isinstance(found, (list, tuple)):
            waiting += found


def mask_told(
    value: Value, service: str, path: str, redactor: Redactor, columns: Mapping[int, str] = NO_COLUMNS
) -> tuple[Value, tuple[str, ...]]:
    """`value` with those masked, and where; the same object where there are none. `columns`: see `sql_members`."""
    rules = {(id(mapping), member): rule for mapping, member, rule in told(value, service, redactor)}
    if service in sql_members.STATEMENTS:
        rules.update(sql_members.rules_of(value, service, redactor))
        rules.update(sql_members.rules_of_rows(value, columns, redactor))
    if service == "dynamodb":
        rules.update(_positions(value, redactor))
    paths: list[str] = []
    return (_masked(value, None, path, rules, redactor, paths), tuple(paths)) if rules else (value, ())


def may_tell(body: bytes, text: str, redactor: Redactor) -> bool:
    """False if no pair in this JSON has the name of a secret, and no column. `text`: the same as latin-1."""
    if "\\" not in text:  # else a name may be spelled in another way
        lower = text.lower()
        if not any(each in lower for each in SPELLED):
            return False
    return any(redactor.rule_of(found.decode("utf-8", "replace")) for found in PAIRED.findall(body))


def _masked(
    value: Value,
    rule: str | None,
    path: str,
    rules: Mapping[tuple[int, str], str],
    redactor: Redactor,
    paths: list[str],
) -> Value:
    def inner(each: Value, member: str, step: str) -> Value:
        return _masked(each, rule or rules.get((id(value), member)), path + step, rules, redactor, paths)

    if isinstance(value, Mapping):
        return {name: inner(each, name, f".{name}") for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [inner(each, str(index), f"[{index}]") for index, each in enumerate(value)]
    if rule is None or not isinstance(value, (str, bytes)) or not value:
        return value
    marker = redactor.marker(rule, value)
    paths.append(path)
    return marker.encode() if isinstance(value, bytes) else marker


def _paired(found: Mapping[str, Value], redactor: Redactor) -> Iterator[tuple[str, str]]:
    members = {name.lower(): name for name in found}

    def rule_in(member: str) -> str | None:
        said = found[members[member]]
        return redactor.rule_of(said) if isinstance(said, str) else None

    return ((members[member], rule) for member, rule in paired(members, rule_in).items())


# ---- DynamoDB --------------------------------------------------------------------------------------------------------


def _expressed(found: Mapping[str, Value], redactor: Redactor) -> Iterator[tuple[Value, str, str]]:
    """Placeholders that an expression compares with, or puts into, a secret attribute."""
    values, names = found.get(PLACEHOLDERS), found.get("ExpressionAttributeNames")
    if not isinstance(values, Mapping):
        return
    aliases = names if isinstance(names, Mapping) else {}
    for text in filter(None, (found.get(each) for each in EXPRESSIONS)):
        for placeholder, rule in _placeholders(str(text), aliases, redactor):
            yield values, placeholder, rule


def _placeholders(text: str, aliases: Mapping[str, Value], redactor: Redactor) -> Iterator[tuple[str, str]]:
    """Those of a clause with a secret attribute, and those that follow one: the clauses of a list and a range."""
    last: str | None = None
    for clause in CLAUSE.split(text):
        tokens = [token for token in TOKEN.finditer(clause) if token[0].upper() not in KEYWORDS]
        attributes = [_resolved(token["attribute"], aliases) for token in tokens if token["attribute"]]
        last = attributes[-1] if attributes else last
        rules = map(redactor.rule_of, attributes or filter(None, [last]))
        rule = next(filter(None, rules), None)
        if rule is not None:
            yield from ((token["value"], rule) for token in tokens if token["value"])


def _resolved(path: str, aliases: Mapping[str, Value]) -> str:
    return re.sub(r"#\w+", lambda found: str(aliases.get(found[0], found[0])), path)


def _positions(value: Value, redactor: Redactor) -> dict[tuple[int, str], str]:
    """PartiQL: the parameters whose place in the statement is that of a secret attribute."""
    rules: dict[tuple[int, str], str] = {}
    for found in _statements(value):
        parameters, last, number = found["Parameters"], "", 0
        for token in POSITION.finditer(str(found[POSITIONED])):
            if not token["place"]:
                last = token["text"] or token["name"] or last
                continue
            rule = redactor.rule_of(last.strip('"'))
            if rule is not None:
                rules[id(parameters), str(number)] = rule
            number += 1
    return rules


def _statements(value: Value) -> Iterator[Mapping[str, Value]]:
    if isinstance(value, Mapping):
        if isinstance(value.get(POSITIONED), str) and isinstance(value.get("Parameters"), Sequence):
            yield value
        for each in value.values():
            yield from _statements(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _statements(each)
