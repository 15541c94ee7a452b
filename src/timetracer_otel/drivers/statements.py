"""Secrets in a statement of SQL: what its own names say, decided once per statement, then what has a known shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from timetracer_otel.redaction import Redactor, counting
from timetracer_otel.wire.postgres.secrets import secrets
from timetracer_otel.wire.postgres.statements import CACHED_SQL_MAX
from timetracer_otel.wire.postgres.tokens import unquoted

SHAPES_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the names of a statement decide."""

    parameters: Mapping[int, str]
    literals: tuple[tuple[int, int, str], ...]
    is_suspicious: bool
    """Its text may hold what is known by its shape."""


def _shape(sql: str, redactor: Redactor) -> _Shape:
    return _remembered(sql, redactor) if len(sql) <= CACHED_SQL_MAX else _read(sql, redactor)


def _read(sql: str, redactor: Redactor) -> _Shape:
    found = secrets(sql, redactor.rule_of_column)
    looked_at = ((start, end, counting(rule, unquoted(sql[start:end]))) for start, end, rule in found.literals)
    literals = tuple((start, end, rule) for start, end, rule in looked_at if rule and unquoted(sql[start:end]))
    return _Shape(found.parameters, literals, redactor.suspicious(sql))


_remembered: Final = lru_cache(maxsize=SHAPES_MAX)(_read)


def is_open(sql: str, redactor: Redactor) -> bool:
    """True if nothing in `sql` is secret, nor any of its parameters because of what it does with them."""
    shape = _shape(sql, redactor)
    return not (shape.literals or shape.is_suspicious or shape.parameters or ("'" in sql and redactor.known()))


def rules_of_parameters(sql: str, redactor: Redactor) -> Mapping[int, str]:
    """The rules that mask parameters because of what the statement does with them, by index from 0."""
    return _shape(sql, redactor).parameters


def mask_statement(sql: str, redactor: Redactor) -> tuple[str, Mapping[str, str]]:
    """`sql` masked, and what was masked in it by name: errors may repeat it."""
    shape, known = _shape(sql, redactor), redactor.known() if "'" in sql else {}
    if not shape.literals and not shape.is_suspicious and not known:
        return sql, {}
    found: dict[str, str] = {}
    pieces, at = [], 0
    for start, end, rule in shape.literals:
        secret = unquoted(sql[start:end])
        found[secret] = redactor.marker(rule, secret)
        pieces += [sql[at:start], f"'{found[secret]}'"]
        at = end
    masked = "".join([*pieces, sql[at:]])
    for data, marker in known.items():  # put into the text by a ClientCursor
        secret = data.decode("utf-8", "surrogateescape")
        masked = masked.replace(f"'{secret}'", f"'{marker.decode()}'")
    return redactor.text(masked), found
