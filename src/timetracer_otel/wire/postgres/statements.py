"""SQL as it is compared: without what propagation adds and without what only lays it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, update_wrapper
from typing import Final, TypeVar

from timetracer_otel.config import KIB
from timetracer_otel.wire.postgres.tokens import Kind, Token, code, tokens

CACHED_STATEMENTS: Final = 512
CACHED_SQL_MAX: Final = 16 * KIB

R = TypeVar("R")

# What OpenTelemetry's sqlcommenter writes: url-quoted keys in the order of the alphabet, values as Python's repr.
_COMMENT: Final = re.compile(r"/\*\s*[\w.%-]+=(?:'[^'*]*'|\d+)(?:,\s*[\w.%-]+=(?:'[^'*]*'|\d+))*\s*\*/")
_KEY: Final = re.compile(r"([\w.%-]+)=")
# An app may tag its statements in the same style, and its tags count: a comment with one of these is OpenTelemetry's.
_PROPAGATION_KEYS: Final = frozenset(
    {
        "traceparent",
        "tracestate",
        "db_driver",
        "db_framework",
        "dbapi_level",
        "dbapi_threadsafety",
        "driver_paramstyle",
        "libpq_version",
    }
)


def remembered(function: Callable[[str], R]) -> Callable[[str], R]:
    """`function` with its last results kept, but for SQL so long that keeping it would cost more than it saves."""
    cached = lru_cache(maxsize=CACHED_STATEMENTS)(function)

    def call(sql: str) -> R:
        return cached(sql) if len(sql) <= CACHED_SQL_MAX else function(sql)

    return update_wrapper(call, function)


@remembered
def normalise(sql: str) -> str:
    """`sql` with space outside quotes and comments collapsed, the last `;` and OpenTelemetry's comment dropped.

    The app's own comments and hints stay. Idempotent; strings and quoted names are never changed.
    """
    return "".join(_collapsed(_trimmed(list(tokens(sql)))))


@remembered
def verb(sql: str) -> str:
    """The first word in upper case, such as `SELECT`; empty when there is none."""
    return next((token.upper for token in tokens(sql) if token.kind is Kind.WORD), "")


@remembered
def parts(sql: str) -> tuple[tuple[Token, ...], ...]:
    """The statements of a simple query, each as its tokens without space and comments; empty ones are left out.

    A `;` inside parentheses or in the body of a routine (BEGIN ATOMIC ... END) does not end a statement.
    """
    groups: list[list[Token]] = [[]]
    depth = 0
    body: int | None = None  # open BEGIN ATOMIC and CASE
    for token in code(sql):
        depth = max(0, depth + _DEPTH.get(token.text, 0))
        if token.text == ";" and not depth and not body:
            groups.append([])
            body = None
            continue
        groups[-1].append(token)
        body = _open_in_body(body, token.upper, groups[-1][0].upper)
    return tuple(tuple(group) for group in groups if group)


_DEPTH: Final = {"(": 1, ")": -1}


def _open_in_body(body: int | None, word: str, verb: str) -> int | None:
    """How many ends are still to come, after `word`; None before the body of a routine (BEGIN ATOMIC ... END)."""
    if body is None:
        return 1 if word == "ATOMIC" and verb == "CREATE" else None
    return body + (word == "CASE") - (word == "END")


def _trimmed(found: list[Token]) -> list[Token]:
    """Without space, `;` and OpenTelemetry's comment at either end."""
    first, last = 0, len(found)
    while last and (_is_layout(found[last - 1]) or found[last - 1].text == ";"):
        last -= 1
    while first < last and _is_layout(found[first]):
        first += 1
    return found[first:last]


def _is_layout(token: Token) -> bool:
    return token.kind is Kind.SPACE or _is_propagation(token)


def _is_propagation(token: Token) -> bool:
    if token.kind is not Kind.BLOCK_COMMENT or _COMMENT.fullmatch(token.text) is None:
        return False
    return not _PROPAGATION_KEYS.isdisjoint(_KEY.findall(token.text))


def _collapsed(found: Sequence[Token]) -> Iterator[str]:
    for index, token in enumerate(found):
        yield _blank(found, index) if token.kind is Kind.SPACE else token.text


def _blank(found: Sequence[Token], index: int) -> str:
    """A new line counts where it ends a comment and where it joins two strings into one; elsewhere space is space."""
    before = found[index - 1].kind
    joins = before is Kind.STRING and found[index + 1].kind is Kind.STRING and "\n" in found[index].text
    return "\n" if joins or before is Kind.LINE_COMMENT else " "
