"""Whether a regular expression may take long on some text: told from how it is built, without running it.

Time is lost where one text can be cut in many ways: by repetitions that follow each other and take the same letters,
and by a repetition of what has no fixed length itself. The ways are counted, rather too many of them than too few.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

if sys.version_info >= (3, 11):
    from re import _parser as parser  # type: ignore[attr-defined]  # no public name for it
else:
    import sre_parse as parser

MOST_WAYS: Final = 4000
_ENDLESS_WAYS: Final = 1000
_ENDLESS_TIMES: Final = 64
"""A repetition that may go on so often counts as endless."""
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_ASSERTS: Final = ("ASSERT", "ASSERT_NOT")
_CATEGORIES: Final = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
_BEYOND_LATIN: Final = "Ωжא中あ٣\u2003€🙂"


class Slow(Exception):
    """There are too many ways."""


@dataclass(frozen=True, slots=True)
class _Link:
    """One piece of a sequence: the letters it may take, in how many ways, how many letters."""

    letters: frozenset[str]
    ways: int
    least: int
    most: int
    is_plain: bool = True
    """A text that it takes as a whole, it takes in one way."""

    @property
    def is_fixed(self) -> bool:
        return self.least == self.most


def is_slow(regex: str) -> bool:
    """True if it may take more than linear time from one place of a text on, or nearly so."""
    tree: Iterable[Any] = parser.parse(regex)  # type: ignore[assignment]  # iterable by its __getitem__
    alphabet = frozenset(map(chr, range(256))) | frozenset(_BEYOND_LATIN) | frozenset(regex)
    try:
        _Counter(alphabet).links(tree)
    except Slow:
        return True
    return False


class _Counter:
    """Of one expression: `alphabet` stands for all letters."""

    def __init__(self, alphabet: frozenset[str]) -> None:
        self._alphabet = alphabet

    def links(self, sequence: Iterable[Any]) -> list[_Link]:
        """Raises Slow."""
        links = [link for operation, argument in sequence for link in self._links_of(str(operation), argument)]
        _most_ways(links)
        return links

    def _links_of(self, name: str, argument: Any) -> list[_Link]:
        if name in _REPEATS:
            return self._repeat(*argument)
        if name == "SUBPATTERN":
            return self.links(argument[-1])
        if name == "ATOMIC_GROUP":
            return self.links(argument)
        if name in _ASSERTS:
            self.links(argument[1])
            return []
        if name == "BRANCH":
            return [self._branch(argument[1])]
        if name == "GROUPREF_EXISTS":
            return [self._branch([argument[1], argument[2] or []])]
        if name == "GROUPREF":
            return [_Link(self._alphabet, 1, 0, _ENDLESS_TIMES)]
        return [] if name == "AT" else [_Link(self._letters(name, argument), 1, 1, 1)]

    def _repeat(self, least: int, most: int, body: Any) -> list[_Link]:
        inner, most = self.links(body), min(most, _ENDLESS_TIMES)
        if most == 1:
            return [*inner] if least else [_optional(link) for link in inner]
        whole = _joined(inner)
        if most == _ENDLESS_TIMES and whole.most >= _ENDLESS_TIMES:
            raise Slow  # what repeats is repeated
        times = _ENDLESS_WAYS if most == _ENDLESS_TIMES else most - least + 1
        is_plain = whole.ways == 1 and whole.is_fixed
        if not is_plain and not _is_delimited(inner):
            ways = max(whole.ways, whole.most - whole.least + 1)
            times = max(times, ways**most)
        link = _Link(whole.letters, times, least * whole.least, min(most * whole.most, _ENDLESS_TIMES), is_plain)
        _most_ways([link])
        return [link]

    def _branch(self, branches: Sequence[Any]) -> _Link:
        each = [self.links(branch) for branch in branches]
        joined = [_joined(links) for links in each]
        overlaps = any(one & other for one, other in combinations(map(_first_letters, each), 2))
        return _Link(
            frozenset[str]().union(*(link.letters for link in joined)),
            max(link.ways for link in joined) * (len(joined) if overlaps else 1),
            min(link.least for link in joined),
            max(link.most for link in joined),
            not overlaps and all(link.is_plain for links in each for link in links),
        )

    def _letters(self, name: str, argument: Any) -> frozenset[str]:
        if name == "LITERAL":
            return _in_both_cases([chr(argument)])
        if name == "NOT_LITERAL":
            return self._alphabet - {chr(argument)}
        if name == "RANGE":
            return _in_both_cases(letter for letter in self._alphabet if argument[0] <= ord(letter) <= argument[1])
        if name == "CATEGORY":
            return self._category(str(argument))
        if name == "IN":
            return self._set(argument)
        return self._alphabet - {"\n"} if name == "ANY" else self._alphabet

    def _set(self, items: Sequence[Any]) -> frozenset[str]:
        is_negated = str(items[0][0]) == "NEGATE"
        letters = frozenset[str]().union(*(self._letters(str(name), each) for name, each in items[is_negated:]))
        return self._alphabet - letters if is_negated else letters

    def _category(self, name: str) -> frozenset[str]:
        kind = name.rpartition("_")[2]
        letters = frozenset(letter for letter in self._alphabet if re.match(_CATEGORIES[kind], letter))
        return self._alphabet - letters if "_NOT_" in name else letters


def _in_both_cases(letters: Iterable[str]) -> frozenset[str]:
    """Whatever the flags say: to think that letters overlap is safe."""
    return frozenset(spelled for letter in letters for spelled in (letter, letter.lower(), letter.upper()))


def _optional(link: _Link) -> _Link:
    return _Link(link.letters, link.ways * 2, 0, link.most, link.is_plain)


def _joined(links: Sequence[_Link]) -> _Link:
    return _Link(
        frozenset[str]().union(*(link.letters for link in links)),
        _most_ways(links),
        sum(link.least for link in links),
        min(sum(link.most for link in links), _ENDLESS_TIMES),
    )


def _is_delimited(links: Sequence[_Link]) -> bool:
    """True if each round begins or ends with a letter that is nowhere else in it: it can be cut in one way only."""
    if any(not link.is_plain or [*_competitors(links, index)] for index, link in enumerate(links)):
        return False
    ends = ((links[0], links[1:]), (links[-1], links[:-1]))
    return any(end.least == end.most == 1 and not end.letters & _joined(rest).letters for end, rest in ends)


def _first_letters(links: Sequence[_Link]) -> frozenset[str]:
    letters = frozenset[str]()
    for link in links:
        letters |= link.letters
        if link.least:
            break
    return letters


def _most_ways(links: Sequence[_Link]) -> int:
    """In how many ways one text may be cut; at most `MOST_WAYS`. Raises Slow."""
    ways: list[int] = []
    for index, link in enumerate(links):
        before = (ways[at] for at in _competitors(links, index)) if link.ways > 1 else ()
        ways.append(link.ways * max(before, default=1))
    most = max(ways, default=1)
    if most > MOST_WAYS:
        raise Slow
    return most


def _competitors(links: Sequence[_Link], index: int) -> Iterator[int]:
    """Those before it that could take its letters, with nothing between that tells where one ends."""
    link = links[index]
    for at in range(index):
        other, between = links[at], links[at + 1 : index]
        if (
            other.ways > 1
            and other.letters & link.letters
            and not any(
                each.least and not (each.letters & other.letters and each.letters & link.letters) for each in between
            )
        ):
            yield at
