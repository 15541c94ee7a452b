"""Secrets in the fields of errors and notices: `Key (token)=(abc) already exists.` holds the value at fault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from timetracer_otel.drivers.postgres.clean import column_rules
from timetracer_otel.redaction import Redactor, counting

FIELDS: Final = frozenset("MDHWq")
"""Message, detail, hint, context, internal query: those that may repeat data."""
ROW_VALUE_MAX: Final = 64
"""`Failing row contains (...)` cuts longer values here."""
_ROW: Final = "Failing row contains ("
# Greedy: a value may hold `)`, and one value masked too much beats a piece of one left.
_KEY: Final = re.compile(r"\((?P<names>[^()=]+)\)(?P<sign> ?= ?)\((?P<values>.*)\)", re.DOTALL)


def mask_fields(fields: Mapping[str, str], hidden: Mapping[str, str], redactor: Redactor) -> Mapping[str, str]:
    """The fields without secrets: what the statement had masked (`hidden`), keys by name, the rest by pattern."""
    return {letter: _field(text, hidden, redactor) if letter in FIELDS else text for letter, text in fields.items()}


def _field(text: str, hidden: Mapping[str, str], redactor: Redactor) -> str:
    if _ROW in text:  # before anything in it is masked: as in the texts of exceptions, so that replay finds them equal
        text = redactor.text(text)
    keyed = _KEY.sub(lambda match: _key(match, redactor), text)
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        for shown in (secret, secret[:ROW_VALUE_MAX]):
            keyed = hidden[secret].join(re.split(rf"(?<!\w){re.escape(shown)}(?!\w)", keyed))
    return redactor.text(keyed)


def _key(match: re.Match[str], redactor: Redactor) -> str:
    names = [name.strip(' "') for name in match["names"].split(", ")]
    rules = column_rules(tuple(names), redactor.rule_of)
    if not any(rules):
        return match[0]
    values = match["values"].split(", ")
    if len(values) != len(names):
        rules, values = (next(filter(None, rules)),), [match["values"]]
    counted = [counting(rule, value) for rule, value in zip(rules, values, strict=True)]
    masked = [
        value if rule is None else redactor.marker(rule, value) for rule, value in zip(counted, values, strict=True)
    ]
    return f"({match['names']}){match['sign']}({', '.join(masked)})"
