"""Cursors of SQL: DECLARE, FETCH, MOVE and CLOSE. A cursor's name means nothing beyond its connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from timetracer_otel.wire.postgres.statements import normalise, parts, remembered
from timetracer_otel.wire.postgres.tokens import Kind, Token, code

Verb: TypeAlias = Literal["DECLARE", "FETCH", "MOVE", "CLOSE"]

_VERBS: Final = ("DECLARE", "FETCH", "MOVE", "CLOSE")
_FROM: Final = ("FROM", "IN")


@dataclass(frozen=True, slots=True)
class CursorCommand:
    verb: Verb
    name: str
    is_page: bool = False
    """FETCH of the next rows: how many does not change which they are."""
    max_rows: int | None = None
    """Of a page; None for all that are left."""
    is_absolute: bool = False
    """MOVE to a place that does not depend on the one before."""


@remembered
def cursor_command(sql: str) -> CursorCommand | None:
    """What `sql` does to one cursor; None for any other statement."""
    statements = parts(sql)
    if len(statements) != 1 or statements[0][0].upper not in _VERBS:
        return None
    (words,) = statements
    verb, name = cast("Verb", words[0].upper), _name(words)
    if name is None:
        return None
    return _fetch(words, name) if verb == "FETCH" else CursorCommand(verb, name, is_absolute=_is_absolute(words))


def _name(words: Sequence[Token]) -> str | None:
    if len(words) < 2:
        return None
    if words[0].upper == "DECLARE":
        return words[1].identifier
    return None if words[1].upper == "ALL" and len(words) == 2 else words[-1].identifier


def _fetch(words: Sequence[Token], name: str) -> CursorCommand:
    direction = [word for word in words[1:-1] if word.upper not in _FROM]
    if direction and direction[0].upper == "FORWARD":
        direction = direction[1:]
    if not direction or direction[0].upper == "NEXT":
        return CursorCommand("FETCH", name, is_page=True, max_rows=1)
    if direction[0].upper == "ALL":
        return CursorCommand("FETCH", name, is_page=True)
    if len(direction) == 1 and direction[0].kind is Kind.NUMBER and direction[0].text.strip("0").isdigit():
        return CursorCommand("FETCH", name, is_page=True, max_rows=int(direction[0].text))
    return CursorCommand("FETCH", name, is_absolute=_is_absolute(words))


def _is_absolute(words: Sequence[Token]) -> bool:
    return words[1].upper in ("ABSOLUTE", "FIRST", "LAST")


@remembered
def nameless(sql: str) -> str:
    """A statement about one cursor, normalised, without the cursor's name."""
    text = normalise(sql)
    words = code(text)
    name = words[1] if words[0].upper == "DECLARE" else words[-1]
    return f"{text[: name.start]}?{text[name.end :]}"
