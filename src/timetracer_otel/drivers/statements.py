"""Secrets in a statement of SQL: what its own names say, decided once per statement, then what has a known shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from timetracer_otel.redaction import Redactor
from timetracer_otel.wire.postgres.secrets import secrets
from timetracer_otel.wire.postgres.tokens import code

SHAPES_MAX: Final = 1024
PASSWORD: Final = "password"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the names of a statement decide."""

    parameters: Mapping[int, str]
    literals: tuple[tuple[int, int, str], ...]
    is_suspicious: bool
    """Its text may hold what is known by its shape."""


@lru_cache(maxsize=SHAPES_MAX)
def _shape(sql: str, redactor: Redactor) -> _Shape:
    rule_of = redactor.rule_of
    parameters: dict[int, str] = {}
    literals: dict[tuple[int, int], str] = {}
    names = sorted(
        {name for token in code(sql) if (name := token.identifier) is not None and rule_of(name) is not None}
    )
    for name in (None, *names):
        found = secrets(sql, _never if name is None else name.__eq__)
        rule = PASSWORD if name is None else rule_of(name) or PASSWORD
        parameters.update({index: rule for index in found.parameters if index not in parameters})
        literals.update({span: rule for span in found.literals if span not in literals})
    return _Shape(
        parameters,
        tuple((start, end, rule) for (start, end), rule in sorted(literals.items())),
        redactor.suspicious(sql),
    )


def _never(name: str) -> bool:
    return False


def rules_of_parameters(sql: str, redactor: Redactor) -> Mapping[int, str]:
    """The rules that mask parameters because of what the statement does with them, by index from 0."""
    return _shape(sql, redactor).parameters


def mask_statement(sql: str, redactor: Redactor) -> tuple[str, Mapping[str, str]]:
    """`sql` masked, and what was masked in it by name: errors may repeat it."""
    shape, known = _shape(sql, redactor), redactor.known() if "'" in sql else {}
    if not shape.literals and not shape.is_suspicious and not known:
        return sql, {}
    literals, found = shape.literals, dict[str, str]()
    masked = sql
    for start, end, rule in reversed(literals):
        secret = _unquoted(sql[start:end])
        found[secret] = redactor.marker(rule, secret)
        masked = f"{masked[:start]}'{found[secret]}'{masked[end:]}"
    for data, marker in known.items():  # put into the text by a ClientCursor
        secret = data.decode("utf-8", "surrogateescape")
        masked = masked.replace(f"'{secret}'", f"'{marker.decode()}'")
    return redactor.text(masked), found


def _unquoted(literal: str) -> str:
    """What stands between the quotes of `'it''s'`, `E'…'` or `$tag$…$tag$`."""
    if literal.startswith("$"):
        opening = literal[: literal.index("$", 1) + 1]
        return literal.removeprefix(opening).removesuffix(opening)
    return literal[literal.find("'") + 1 :].removesuffix("'").replace("''", "'")
