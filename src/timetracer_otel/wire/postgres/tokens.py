"""SQL as tokens. Never fails: what is not closed runs to the end, what is not known is a symbol of one character.

Source: PostgreSQL "Lexical Structure"; `standard_conforming_strings` on (the default).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    SPACE = "space"
    LINE_COMMENT = "line comment"
    """Up to, not with, the end of the line."""
    BLOCK_COMMENT = "block comment"
    STRING = "string"
    """With its prefix (E, B, X, N, U&) or dollar quotes."""
    NAME = "quoted name"
    WORD = "word"
    PARAMETER = "parameter"
    NUMBER = "number"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Token:
    """`start` and `end` are positions in the SQL."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def is_code(self) -> bool:
        return self.kind not in (Kind.SPACE, Kind.LINE_COMMENT, Kind.BLOCK_COMMENT)

    @property
    def upper(self) -> str:
        """Key word or symbol as it is compared; empty for a string or a quoted name."""
        return self.text.upper() if self.kind in (Kind.WORD, Kind.SYMBOL) else ""

    @property
    def identifier(self) -> str | None:
        """The name that a word or a quoted name stands for; None for other tokens."""
        if self.kind is Kind.WORD:
            return self.text.lower()
        if self.kind is Kind.NAME:
            return self.text[self.text.index('"') :].strip('"').replace('""', '"')
        return None

    @property
    def content(self) -> str:
        """What stands between the quotes of a string."""
        return unquoted(self.text)


# Only the blanks that the server's scanner knows: a no-break space, for instance, is part of a word there. The letters
# of words, all from U+0080 on among them, are named by what they are not: `re` takes 7 ms for a class of so many.
_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\n\r\f\v]+)
    | (?P<line>--[^\n\r]*)
    | (?P<block>/\*)
    | (?P<escaped>[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\\?\Z))
    | (?P<string>(?:[bBxXnN]|[uU]&)?'[^']*(?:''[^']*)*(?:'|\Z))
    | (?P<name>(?:[uU]&)?"[^"]*(?:""[^"]*)*(?:"|\Z))
    | (?P<dollar>\$(?:[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*)?\$)
    | (?P<parameter>\$[0-9]+)
    | (?P<word>[^\x00-@\[-^`{-\x7f][^\x00-#%-/:-@\[-^`{-\x7f]*)
    | (?P<number>(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<symbol>::|:=|=>|->>?|\#>>?|<>|!=|<=|>=|!?~~?\*?|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_KINDS: Final = {
    "space": Kind.SPACE,
    "line": Kind.LINE_COMMENT,
    "block": Kind.BLOCK_COMMENT,
    "escaped": Kind.STRING,
    "string": Kind.STRING,
    "name": Kind.NAME,
    "dollar": Kind.STRING,
    "parameter": Kind.PARAMETER,
    "word": Kind.WORD,
    "number": Kind.NUMBER,
    "symbol": Kind.SYMBOL,
}


def tokens(sql: str) -> Iterator[Token]:
    """Every token in order; their texts joined are `sql`."""
    at = 0
    while (match := _TOKEN.match(sql, at)) is not None:
        group = match.lastgroup or "symbol"
        end = _end(sql, group, match)
        yield Token(_KINDS[group], sql[at:end], at)
        at = end


def code(sql: str) -> list[Token]:
    """The tokens that are neither space nor comment."""
    return [token for token in tokens(sql) if token.is_code]


def unquoted(literal: str) -> str:
    """What stands between the quotes of `'it''s'`, `E'…'` or `$tag$…$tag$`."""
    if literal.startswith("$"):
        opening = literal[: literal.index("$", 1) + 1]
        return literal.removeprefix(opening).removesuffix(opening)
    return literal[literal.find("'") + 1 :].removesuffix("'").replace("''", "'")


def _end(sql: str, group: str, match: re.Match[str]) -> int:
    if group == "block":
        return _comment_end(sql, match.end())
    if group == "dollar":
        closing = sql.find(match.group(), match.end())
        return len(sql) if closing < 0 else closing + len(match.group())
    return match.end()


def _comment_end(sql: str, at: int) -> int:
    """Block comments nest in PostgreSQL."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(sql, at)) is not None:
        depth += 1 if edge.group() == "/*" else -1
        at = edge.end()
    return at if depth == 0 else len(sql)
