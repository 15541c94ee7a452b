"""Which parameters and literals of a statement stand for a column, a key or an argument whose name is secret.

Reads the statement by its tokens: what is assigned to, compared with or inserted into such a name. In doubt a whole
expression counts (`password = crypt($1, $2)` names both): one value masked too much beats one too few.
A client may have a say in the text: the time that this takes grows with its length, and no faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, TypeAlias

from timetracer_otel.wire.postgres.statements import parts
from timetracer_otel.wire.postgres.structure import Range, Structure
from timetracer_otel.wire.postgres.tokens import Kind, Token

RuleOf: TypeAlias = Callable[[str], "str | None"]

PASSWORD: Final = "password"
"""The rule of what follows PASSWORD in a command on roles, and of the arguments of EXECUTE."""
KEY_MAX: Final = 200
"""Characters of a string that may be a key."""
BODIES_MAX: Final = 3
"""So deep are routines in routines looked into: each level reads its text again."""
_COMPARE: Final = frozenset(
    {"=", "<>", "!=", "<", ">", "<=", ">=", ":=", "=>", "LIKE", "ILIKE", "SIMILAR", "IN", "IS", "BETWEEN", "TO"}
    | {"~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "!~~*"}
)
_KEY_SIGNS: Final = frozenset({"->", "->>", "#>", "#>>", "["})
_KEYED: Final[Mapping[str, int]] = {
    **dict.fromkeys(("JSON_BUILD_OBJECT", "JSONB_BUILD_OBJECT", "JSON_OBJECT", "HSTORE", "SET_CONFIG"), 0),
    **dict.fromkeys(("JSONB_SET", "JSONB_SET_LAX", "JSONB_INSERT"), 1),
}
"""Functions that take keys and values in turn, and whether the first or the second argument is the first key."""
_QUERIES: Final = frozenset({"SELECT", "VALUES", "WITH"})
_LIST_ENDS: Final = frozenset({"FROM", "ON", "RETURNING", "UNION", "WHERE"})


@dataclass(frozen=True, slots=True)
class Secrets:
    """`parameters`: rules by index from 0 of the `$n`. `literals`: (start, end, rule), quotes included, in order."""

    parameters: Mapping[int, str]
    literals: tuple[tuple[int, int, str], ...]


def secrets(sql: str, rule_of: RuleOf) -> Secrets:
    """What stands for a secret name; `rule_of` says of one column name, as PostgreSQL folds it, the rule that masks."""
    parameters: dict[int, str] = {}
    literals: dict[Range, str] = {}
    for token, rule, base in _secret_tokens(sql, rule_of, 0, 0):
        if token.kind is Kind.STRING:
            literals.setdefault((base + token.start, base + token.end), rule)
        elif not base and token.text != "$0":  # in the body of a routine `$1` is an argument of that
            parameters.setdefault(int(token.text[1:]) - 1, rule)
    return Secrets(parameters, tuple((start, end, rule) for (start, end), rule in sorted(literals.items())))


def _secret_tokens(sql: str, rule_of: RuleOf, base: int, level: int) -> Iterator[tuple[Token, str, int]]:
    for statement in parts(sql):
        hidden = _Statement(statement, rule_of).hidden()
        for token, rule in hidden:
            yield token, rule, base
        masked = {token.start for token, _ in hidden}
        if statement[0].upper in ("DO", "CREATE") and level < BODIES_MAX:
            for token in statement:
                if token.text.startswith("$") and token.kind is Kind.STRING and token.start not in masked:
                    opening = token.text.index("$", 1) + 1
                    yield from _secret_tokens(token.content, rule_of, base + token.start + opening, level + 1)


@dataclass(slots=True)
class _Names:
    """The secret names among tokens: `rules` by position, None elsewhere."""

    rules: Sequence[str | None]
    _before: Sequence[int] = field(init=False)
    _next: list[str | None] = field(init=False)

    def __post_init__(self) -> None:
        self._before = list(accumulate((rule is not None for rule in self.rules), initial=0))
        self._next = list(self.rules)
        for index in range(len(self.rules) - 2, -1, -1):
            self._next[index] = self.rules[index] or self._next[index + 1]

    def rule_in(self, start: int, end: int) -> str | None:
        """The rule of the first one there; None if there is none."""
        return self._next[start] if start < end and self._before[end] > self._before[start] else None


class _Statement:
    """Ranges of tokens that are secret are gathered, then all tokens in them are given back."""

    def __init__(self, tokens: Sequence[Token], rule_of: RuleOf) -> None:
        self._tokens, self._rule_of = tokens, rule_of
        self._at = Structure(tokens)
        self._keys = _Names([_key_rule(token, rule_of) for token in tokens])
        self._names = _Names([self._name_rule(index) for index in range(len(tokens))])
        self._ranges: list[tuple[int, int, str]] = []
        self._flows: dict[str, str] = {}
        """Names of other columns whose values go into a secret one: `p` of `SET password = v.p`."""

    def hidden(self) -> list[tuple[Token, str]]:
        """The parameters and strings that are secret, with their rules."""
        words = self._at.words
        self._commands()
        for index, word in enumerate(words):
            if word in _COMPARE:
                self._compared(index)
            elif word == "AS":
                self._hide((self._at.starts[index], index), self._names.rule_in(index + 1, min(index + 2, len(words))))
            elif word == "INSERT":
                self._inserted(index)
            elif word == "." and self._at.word(index - 1) == ")":  # (ROW ($1, $2)::cred).password
                group = (max(0, self._at.partner[index - 1]), index)
                self._hide(group, self._names.rule_in(index + 1, min(index + 2, len(words))))
            elif word == "(" and self._at.word(index - 1) in _KEYED:
                self._keyed(index, _KEYED[words[index - 1]])
        for index, word in enumerate(words):
            if word == "(" and self._has_name(index):
                self._named_columns(index)
        return list(self._covered())

    def _name_rule(self, index: int) -> str | None:
        name = self._tokens[index].identifier
        if name is not None:
            return self._rule_of(name)
        return self._keys.rules[index] if self._at.word(index - 1) in _KEY_SIGNS else None

    def _hide(self, where: Range, rule: str | None) -> None:
        if rule is not None and where[0] < where[1]:
            self._ranges.append((*where, rule))

    def _covered(self) -> Iterator[tuple[Token, str]]:
        """By one sweep: of ranges that lie over each other the one that reaches furthest gives the rule."""
        reach, rule, waiting = 0, "", iter(sorted(self._ranges))
        upcoming = next(waiting, None)
        for index, token in enumerate(self._tokens):
            while upcoming is not None and upcoming[0] <= index:
                if upcoming[1] > reach:
                    _, reach, rule = upcoming
                upcoming = next(waiting, None)
            if index < reach and self._is_value(index):
                yield token, rule

    def _is_value(self, index: int) -> bool:
        kind = self._tokens[index].kind
        return kind is Kind.PARAMETER or (kind is Kind.STRING and self._at.word(index - 1) not in _KEY_SIGNS)

    def _commands(self) -> None:
        """PASSWORD of a role; the arguments of EXECUTE, since what was prepared is not at hand."""
        for index, word in enumerate(self._at.words):
            if word == "PASSWORD":
                self._hide((index + 1, index + 2), PASSWORD)
        if self._at.words[0] == "EXECUTE" and self._at.word(2) == "(":
            self._hide((2, self._at.after(2)), PASSWORD)

    # ---- comparison and assignment -----------------------------------------------------------------------------------

    def _compared(self, index: int) -> None:
        """`token = $1`, `token NOT IN ($1, $2)`, `lower($1) = lower(u.token)`, `data->>'token' = $1`."""
        start, at = self._at.starts[index], index + 1
        if self._at.words[index] == "TO":  # COPY (SELECT token FROM t) TO '/path'
            start = max(start, index - 1)
        if self._at.words[index] == "IS":
            while self._at.word(at) in ("NOT", "DISTINCT", "FROM"):
                at += 1
        if self._is_row(start, index):
            return self._rows(start, at)
        left, right = (start, index), (at, self._at.ends[at])
        rule = self._names.rule_in(*left)
        self._hide(right, rule)
        self._flow(right, rule)
        self._hide(left, self._names.rule_in(*right))
        return None

    def _is_row(self, start: int, end: int) -> bool:
        """`(name, token)`."""
        return (
            self._at.words[start] == "("
            and self._at.partner[start] == _last(self._at, start, end)
            and len(list(self._at.items(start + 1))) > 1
        )

    def _rows(self, left: int, at: int) -> None:
        """`(name, token) = ($1, $2)`, `(name, token) IN (($1, $2), ($3, $4))`, `SET (a, token) = ROW ($1, $2)`."""
        hidden = self._positions(self._at.items(left + 1))
        at += self._at.word(at) == "ROW"
        if not hidden or self._at.word(at) != "(":
            return
        rows = list(self._at.items(at + 1))
        if all(self._at.word(start) == "(" for start, _ in rows):
            for start, _ in rows:
                self._by_position(hidden, self._at.items(start + 1))
        else:
            self._by_position(hidden, rows)

    def _keyed(self, index: int, first: int) -> None:
        """`jsonb_build_object('token', $1)`, `jsonb_set(x, '{token}', $1)`, `json_object('token' : $1)`."""
        items = list(self._at.items(index + 1))
        for number, (start, end) in enumerate(items):
            rule = self._keys.rule_in(start, end)
            if self._at.words[index - 1] == "JSON_OBJECT" and end - start > 1:
                self._hide((start + 1, end), self._keys.rule_in(start, start + 1))
            elif number % 2 == first and number + 1 < len(items):
                self._hide(items[number + 1], rule)

    def _flow(self, where: Range, rule: str | None) -> None:
        start, end = where
        name = self._tokens[end - 1].identifier if end - start in (1, 3) else None
        if rule is not None and name is not None:
            self._flows.setdefault(name, rule)

    # ---- by position -------------------------------------------------------------------------------------------------

    def _positions(self, names: Iterable[Range]) -> list[tuple[int, str]]:
        found = ((number, self._names.rules[end - 1]) for number, (start, end) in enumerate(names) if start < end)
        return [(number, rule) for number, rule in found if rule is not None]

    def _by_position(self, hidden: Sequence[tuple[int, str]], items: Iterable[Range]) -> int:
        """Hides those items; where the last one of all ends."""
        found = list(items)
        for number, rule in hidden:
            if number >= len(found):
                break
            self._hide(found[number], rule)
            self._flow(found[number], rule)
        return found[-1][1]

    def _inserted(self, insert: int) -> None:
        """What VALUES or SELECT puts into the secret columns of the INSERT at `insert` (of MERGE or WITH, too)."""
        at = self._past_table(insert + 1)
        if self._at.word(at) != "(" or self._at.word(at + 1) in _QUERIES:
            return
        hidden = self._positions(self._at.items(at + 1))
        at, depth = self._at.after(at), 0
        while hidden and at < len(self._at) and self._at.words[at] not in ("ON", "RETURNING", "INSERT"):
            word = self._at.words[at]
            if self._at.is_close(at):
                depth -= 1
                at += 1
                if depth < 0:
                    break
            elif word == "(" and self._is_query(at):
                depth += 1
                at += 1
            elif word == "(":
                self._by_position(hidden, self._at.items(at + 1))
                at = self._at.after(at)
            else:
                at = self._by_position(hidden, self._at.items(at + 1, _LIST_ENDS)) if word == "SELECT" else at + 1

    def _past_table(self, at: int) -> int:
        """Where the columns of an INSERT begin: after INTO, the table's name and its alias."""
        while at < len(self._at) and self._at.words[at] not in ("(", "VALUES", "SELECT", "DEFAULT", "INSERT"):
            at += 1
        return at

    def _is_query(self, at: int) -> bool:
        """`(VALUES ($1, $2))` as against the row `($1, $2)`; `((VALUES ...))`, too."""
        following = self._at.word(at + 1)
        return following in _QUERIES or (following == "(" and self._at.word(at - 1) not in ("VALUES", ","))

    def _has_name(self, index: int) -> bool:
        return index > 0 and self._tokens[index - 1].identifier is not None

    def _named_columns(self, index: int) -> None:
        """`(VALUES ($1, $2)) AS v (id, token)`, `unnest($1, $2) v (id, token)`, `WITH v (token) AS (VALUES ...)`."""
        before, after = index - 2, self._at.after(index)
        before -= self._at.word(before) == "AS"
        while self._at.word(after) in ("AS", "NOT", "MATERIALIZED"):
            after += 1
        groups = []
        if self._at.word(before) == ")" and self._at.partner[before] >= 0:
            groups.append(self._at.partner[before])
        if self._at.word(self._at.after(index)) == "AS" and self._at.word(after) == "(":
            groups.append(after)
        if groups and (hidden := self._named(index)):
            for group in groups:
                self._group(hidden, group)

    def _named(self, index: int) -> list[tuple[int, str]]:
        """As `_positions`, of names that may have a type behind them, and with names that go into secret ones."""
        found = []
        for number, (start, end) in enumerate(self._at.items(index + 1)):
            name = self._tokens[start].identifier if start < end else None
            rule = None if name is None else self._rule_of(name) or self._flows.get(name)
            if rule is not None:
                found.append((number, rule))
        return found

    def _group(self, hidden: Sequence[tuple[int, str]], group: int) -> None:
        following = self._at.word(group + 1)
        if following != "VALUES":
            self._by_position(hidden, self._at.items(group + 1 + (following == "SELECT"), _LIST_ENDS))
            return
        for start, _ in self._at.items(group + 2):
            if self._at.word(start) == "(":
                self._by_position(hidden, self._at.items(start + 1))


def _last(structure: Structure, start: int, end: int) -> int:
    """The last token of a left side, without the NOT of NOT IN."""
    return end - 2 if structure.word(end - 1) == "NOT" and end - 2 > start else end - 1


def _key_rule(token: Token, rule_of: RuleOf) -> str | None:
    """Of a string that may be a key of JSON, a path such as `'{user,token}'` or the name of a setting."""
    if token.kind is not Kind.STRING or len(token.text) > KEY_MAX:
        return None
    key = token.content
    if key.startswith("{"):
        key = key.strip("{}").rpartition(",")[2].strip(' "')
    return rule_of(key) if key else None
