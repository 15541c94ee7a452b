"""The brackets and the expressions of one statement, found in one pass each: every look-up takes constant time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, TypeAlias

from timetracer_otel.wire.postgres.tokens import Token

Range: TypeAlias = tuple[int, int]
"""From the first token to the one after the last."""

_ENDS: Final = frozenset(
    {",", ";", "AND", "OR", "WHERE", "FROM", "SET", "RETURNING", "ON", "ORDER", "GROUP", "LIMIT", "HAVING", "AS"}
    | {"UNION", "EXCEPT", "INTERSECT", "THEN", "WHEN", "ELSE", "END", "IF", "SELECT", "VALUES", "OFFSET", "FOR"}
    | {"JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS"}
)
_OPEN: Final = frozenset({"(", "["})
_CLOSE: Final = frozenset({")", "]"})
_SIDES: Final = frozenset({"LEFT", "RIGHT", "FULL"})
"""Of a join; functions, too."""


class Structure:
    """`words`: the tokens as they are compared. `partner`: of a bracket its other half, -1 where there is none.

    `CASE` and its `END` are brackets, too.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.words: Final = [token.upper for token in tokens]
        self.partner: Final = [-1] * len(tokens)
        self._is_end = [False] * len(tokens)
        self._is_close = [False] * len(tokens)
        self._pair()

    def __len__(self) -> int:
        return len(self.tokens)

    def word(self, at: int) -> str:
        """The word at `at`; empty for a string, and outside of the statement."""
        return self.words[at] if 0 <= at < len(self.words) else ""

    def is_open(self, at: int) -> bool:
        """True for a bracket that opens, whether it is closed or not."""
        word = self.words[at]
        return word in _OPEN or (word == "CASE" and self.word(at - 1) != "END")

    def after(self, at: int) -> int:
        """Where what begins at `at` has ended: after its partner for a bracket, else after the token."""
        if not self.is_open(at):
            return at + 1
        return len(self) if self.partner[at] < 0 else self.partner[at] + 1

    def is_close(self, at: int) -> bool:
        """True for a bracket that closes, whether one was open or not."""
        return self._is_close[at]

    @cached_property
    def starts(self) -> Sequence[int]:
        """Of each position: where the expression begins that ends before it."""
        found = [0] * (len(self) + 1)
        for at in range(1, len(found)):
            before = at - 1
            if self._is_end[before] or self.is_open(before):
                found[at] = at
            elif self._is_close[before]:
                found[at] = found[max(0, self.partner[before])]
            else:
                found[at] = found[before]
        return found

    @cached_property
    def ends(self) -> Sequence[int]:
        """Of each position: where the expression ends that begins there."""
        found = [len(self)] * (len(self) + 1)
        for at in reversed(range(len(self))):
            found[at] = at if self._is_end[at] or self._is_close[at] else found[self.after(at)]
        return found

    def items(self, at: int, ends: frozenset[str] = frozenset()) -> Iterator[Range]:
        """What commas part from `at` on, up to the end of the bracket around it or to one of the words `ends`."""
        start = at
        while at < len(self) and not self._is_close[at] and self.words[at] not in ends:
            if self.words[at] == ",":
                yield start, at
                start = at + 1
            at = self.after(at)
        yield start, min(at, len(self))

    def _pair(self) -> None:
        open_at: list[int] = []
        between = [0]  # by depth: BETWEEN whose AND has not come
        for at, word in enumerate(self.words):
            if word in _CLOSE or (word == "END" and open_at and self.words[open_at[-1]] == "CASE"):
                self._close(at, open_at, between)
            elif self.is_open(at):
                open_at.append(at)
                between.append(0)
            elif word == "BETWEEN":
                between[-1] += 1
            elif word == "AND" and between[-1]:
                between[-1] -= 1
            else:
                self._is_end[at] = word in _ENDS and not self._is_operand(at, word)

    def _close(self, at: int, open_at: list[int], between: list[int]) -> None:
        self._is_close[at] = True
        while self.words[at] != "END" and open_at and self.words[open_at[-1]] == "CASE":
            open_at.pop()
            between.pop()
        if open_at:
            opening = open_at.pop()
            between.pop()
            self.partner[opening], self.partner[at] = at, opening

    def _is_operand(self, at: int, word: str) -> bool:
        if word in _SIDES:
            return self.word(at + 1) not in ("JOIN", "OUTER")
        return word == "FROM" and self.word(at - 1) == "DISTINCT" and self.word(at - 2) in ("IS", "NOT")
