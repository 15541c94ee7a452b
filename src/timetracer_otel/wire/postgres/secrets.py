"""Which parameters and literals of a statement stand for a column, or an argument, whose name is secret.

Reads the statement by its tokens: what is assigned to, compared with or inserted into such a name. In doubt a whole
expression counts (`password = crypt($1, $2)` names both): one value masked too much beats one too few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from timetracer_otel.wire.postgres.statements import CACHED_SQL_MAX, CACHED_STATEMENTS, parts
from timetracer_otel.wire.postgres.tokens import Kind, Token

IsSecret: TypeAlias = Callable[[str], bool]
Span: TypeAlias = tuple[int, int]
Tokens: TypeAlias = Sequence[Token]

_COMPARE: Final = frozenset(
    {
        "=",
        "<>",
        "!=",
        "<",
        ">",
        "<=",
        ">=",
        ":=",
        "=>",
        "~",
        "~*",
        "!~",
        "!~*",
        "LIKE",
        "ILIKE",
        "SIMILAR",
        "IN",
        "IS",
        "BETWEEN",
        "TO",
    }
    | {"~~", "~~*", "!~~", "!~~*"}
)
_ENDS: Final = frozenset(
    {
        ",",
        ";",
        "AND",
        "OR",
        "WHERE",
        "FROM",
        "SET",
        "RETURNING",
        "ON",
        "ORDER",
        "GROUP",
        "LIMIT",
        "HAVING",
        "UNION",
        "THEN",
        "WHEN",
        "ELSE",
        "AS",
    }
    | {"JOIN", "LEFT", "INNER", "SELECT", "VALUES", "OFFSET", "FOR", "END"}
)
_OPEN: Final = frozenset({"(", "["})
_CLOSE: Final = frozenset({")", "]"})


@dataclass(frozen=True, slots=True)
class Secrets:
    """`parameters`: indexes from 0 of the `$n`. `literals`: (start, end) of string literals, quotes included."""

    parameters: frozenset[int]
    literals: tuple[Span, ...]


def secret_parameters(sql: str, is_secret: IsSecret) -> frozenset[int]:
    """Indexes from 0 of the `$n` that stand for a secret name."""
    return secrets(sql, is_secret).parameters


def secret_literals(sql: str, is_secret: IsSecret) -> list[Span]:
    """Where string literals stand for a secret name, or follow PASSWORD in a command on roles; quotes included."""
    return list(secrets(sql, is_secret).literals)


def secrets(sql: str, is_secret: IsSecret) -> Secrets:
    """Both at once; `is_secret` says it of one column name, as PostgreSQL folds it."""
    return _remembered(sql, is_secret) if len(sql) <= CACHED_SQL_MAX else _found(sql, is_secret)


def _found(sql: str, is_secret: IsSecret) -> Secrets:
    values = [token for statement in parts(sql) for token in _secret_tokens(statement, is_secret)]
    return Secrets(
        frozenset(int(token.text[1:]) - 1 for token in values if token.kind is Kind.PARAMETER and token.text != "$0"),
        tuple(sorted({(token.start, token.end) for token in values if token.kind is Kind.STRING})),
    )


_remembered: Final = lru_cache(maxsize=CACHED_STATEMENTS)(_found)


def _secret_tokens(statement: Tokens, is_secret: IsSecret) -> Iterator[Token]:
    for index, token in enumerate(statement):
        if _is_secret(token, is_secret):
            yield from _after(statement, index)
            yield from _before(statement, index)
        if token.text == "(":
            yield from _row(statement, index, is_secret)
        if token.upper == "INSERT":
            yield from _inserted(statement, index, is_secret)
        if token.upper == "PASSWORD":
            yield from statement[index + 1 : index + 2]


def _is_secret(token: Token, is_secret: IsSecret) -> bool:
    name = token.identifier
    return name is not None and is_secret(name)


def _after(statement: Tokens, index: int) -> Tokens:
    """The expression that the name at `index` is assigned or compared with: `token = $1`, `token NOT IN ($1, $2)`."""
    at = _past_cast(statement, index + 1)
    if _upper(statement, _qualified_start(statement, index) - 1) == "(":  # lower(token) = $1
        while _upper(statement, at) == ")":
            at = _past_cast(statement, at + 1)
    if _upper(statement, at) == "NOT":
        at += 1
    if _upper(statement, at) not in _COMPARE:
        return ()
    is_range = _upper(statement, at) == "BETWEEN"
    while _upper(statement, at) == "IS" or _upper(statement, at + 1) in ("NOT", "DISTINCT", "FROM"):
        at += 1
    end = _expression_end(statement, at + 1)
    if is_range and _upper(statement, end) == "AND":
        end = _expression_end(statement, end + 1)
    return statement[at + 1 : end]


def _before(statement: Tokens, index: int) -> Tokens:
    """What stands before the name at `index`: `$1 = u.token`, `$1 = ANY (tokens)`, `$1::text AS token`."""
    at = _qualified_start(statement, index) - 1
    while _upper(statement, at) in ("(", "ANY", "ALL", "LOWER", "UPPER"):
        at -= 1
    if _upper(statement, at) not in _COMPARE | {"AS"}:
        return ()
    return statement[_expression_start(statement, at) : at]


def _qualified_start(statement: Tokens, index: int) -> int:
    """Where `u` stands for the `token` of `u.token`."""
    while index >= 2 and statement[index - 1].text == ".":
        index -= 2
    return index


def _expression_end(statement: Tokens, at: int) -> int:
    depth = 0
    while at < len(statement):
        word = statement[at].upper
        if depth == 0 and (word in _ENDS or word in _CLOSE):
            break
        depth += (word in _OPEN) - (word in _CLOSE)
        at += 1
    return at


def _expression_start(statement: Tokens, at: int) -> int:
    depth = 0
    while at > 0:
        word = statement[at - 1].upper
        if depth == 0 and (word in _ENDS or word in _OPEN):
            break
        depth += (word in _CLOSE) - (word in _OPEN)
        at -= 1
    return at


def _past_cast(statement: Tokens, at: int) -> int:
    return at + 2 if _upper(statement, at) == "::" else at


def _upper(statement: Tokens, at: int) -> str:
    return statement[at].upper if 0 <= at < len(statement) else ""


# ---- by position: INSERT, and rows such as (name, token) = ($1, $2) --------------------------------------------------


def _inserted(statement: Tokens, insert: int, is_secret: IsSecret) -> Iterator[Token]:
    """What VALUES or SELECT puts into the secret columns of the INSERT at `insert` (of MERGE, or of a WITH, too)."""
    names, at = _list(statement, _past_table(statement, insert + 1))
    hidden = _positions(names, is_secret)
    while hidden and _upper(statement, at) not in ("", "ON", "RETURNING", ")"):
        word = statement[at].upper
        items, at = (
            _list(statement, at) if word == "(" else _selected(statement, at) if word == "SELECT" else ([], at + 1)
        )
        for position in hidden:
            yield from items[position] if position < len(items) else ()


def _past_table(statement: Tokens, at: int) -> int:
    """Where the columns of an INSERT begin: after INTO, the table's name and its alias."""
    while (
        at < len(statement) and statement[at].text != "(" and statement[at].upper not in ("VALUES", "SELECT", "DEFAULT")
    ):
        at += 1
    return at


def _row(statement: Tokens, index: int, is_secret: IsSecret) -> Iterator[Token]:
    """`(name, token) = ($1, $2)`, `(name, token) IN (($1, $2), ($3, $4))`, `SET (a, token) = ROW ($1, $2)`."""
    names, at = _list(statement, index)
    hidden = _positions(names, is_secret)
    if len(names) < 2 or not hidden or _upper(statement, at) not in ("=", "IN", "<>", "!="):
        return
    at += 1 + (_upper(statement, at + 1) == "ROW")
    rows, _ = _list(statement, at)
    is_nested = bool(rows) and all(_upper(row, 0) == "(" for row in rows)
    for row in (_list(row, 0)[0] for row in rows) if is_nested else (rows,):
        for position in hidden:
            yield from row[position] if position < len(row) else ()


def _positions(names: Sequence[Tokens], is_secret: IsSecret) -> list[int]:
    return [at for at, name in enumerate(names) if name and _is_secret(name[-1], is_secret)]


def _list(statement: Tokens, at: int) -> tuple[list[Tokens], int]:
    """The items between the parenthesis at `at` and its partner, and the position after that."""
    if _upper(statement, at) != "(":
        return [], at
    return _items(statement, at + 1, frozenset({")"}))


def _selected(statement: Tokens, at: int) -> tuple[list[Tokens], int]:
    return _items(statement, at + 1, frozenset({"FROM", "ON", "RETURNING", "UNION", ")"}))


def _items(statement: Tokens, at: int, ends: frozenset[str]) -> tuple[list[Tokens], int]:
    items: list[Tokens] = []
    depth, start = 0, at
    while at < len(statement):
        word = statement[at].upper
        if depth == 0 and (word in ends or word == ","):
            items.append(statement[start:at])
            start = at + 1
            if word in ends:
                return items, at + (word == ")")
        depth += (word in _OPEN) - (word in _CLOSE)
        at += 1
    return [*items, statement[start:]], len(statement)
