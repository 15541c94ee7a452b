"""The recorded statement most like another one, found by the words that they share. Pure."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from timetracer_otel.drivers.base import Question

if TYPE_CHECKING:  # a report is made without them
    from timetracer_otel.replay.candidates import Candidate, Family

TEXT_MAX: Final = 8_000
"""Characters of a statement that take part."""
LIKENESS_MIN: Final = 0.5
VOTES_MAX: Final = 2_000
"""Statements that the words of a question may name; the rarest words first."""
COMPARED_MAX: Final = 8
"""Statements that are compared word by word: those that share the most words."""
WORD: Final = re.compile(r"[\w.]+|\s+|.", re.DOTALL)


class Statements:
    """One statement of each shape."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = list(families)
        self._words = [_words(family.first.question.text) for family in self._families]
        self._holding: dict[str, list[int]] = {}
        for number, words in enumerate(self._words):
            for word in set(words):
                self._holding.setdefault(word, []).append(number)
        self._found: dict[Hashable, int | None] = {}
        """What was found for a question of this shape: an app that misses asks again."""

    def nearest(self, question: Question) -> Candidate | None:
        """One not used yet before a used one; None if no statement is similar at all."""
        if question.shape not in self._found:
            self._found[question.shape] = self._search(_words(question.text))
        found = self._found[question.shape]
        return None if found is None else self._families[found].first

    def _search(self, words: Sequence[str]) -> int | None:
        matcher = difflib.SequenceMatcher(b=words, autojunk=False)
        best, likeness = None, LIKENESS_MIN
        for number in self._sharing(set(words)):
            # By words: by characters it would take seconds among long statements.
            matcher.set_seq1(self._words[number])
            if matcher.quick_ratio() > likeness and (ratio := matcher.ratio()) > likeness:
                best, likeness = number, ratio
        return best

    def _sharing(self, words: Iterable[str]) -> list[int]:
        """Numbers of the statements that share the most words, those with the most first."""
        holding = sorted((self._holding[word] for word in words if word in self._holding), key=len)
        votes = Counter(islice((number for each in holding for number in each), VOTES_MAX))
        return [number for number, _ in votes.most_common(COMPARED_MAX)]


def are_reordered(one: str, other: str) -> bool:
    """True for statements of the same words in another order, as of columns that come from a set."""
    return one != other and max(len(one), len(other)) <= TEXT_MAX and sorted(_words(one)) == sorted(_words(other))


def _words(text: str) -> list[str]:
    return [word for word in WORD.findall(text[:TEXT_MAX]) if not word.isspace()]
