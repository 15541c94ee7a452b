"""What the replayed process is taken to have kept of earlier requests: their answers, where the request asked for none.

An equal request that this one had made itself it had not kept: once more is a miss, whoever asked it before. Bounds of
a transaction are equal everywhere, so they go by what stands between them: all of it kept, or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import AnswerSource, Asked, Question

BEGINS: Final = frozenset({"BEGIN", "START"})
ENDS: Final = frozenset({"COMMIT", "ROLLBACK", "ABORT", "END"})

Line: TypeAlias = "tuple[str, int | None]"
"""A library and the number of a connection."""


@dataclass(slots=True)
class Bounds:
    """The transaction of one connection."""

    begin: Hashable = None
    """What began it, where the request's own recording answered that."""
    is_kept: bool = False
    """It was begun as one that the recording does not have."""
    has_own: bool = False
    has_kept: bool = False


class Kept:
    """Not thread-safe: the session's lock covers it."""

    def __init__(self, earlier: Sequence[AnswerSource]) -> None:
        self._earlier = earlier
        self._bounds: dict[Line, Bounds] = {}
        self._lent: Counter[Hashable] = Counter()
        """Recorded beginnings that a transaction took of which all was kept: their own come later."""

    def end(self, question: Question, asked: Asked) -> Exchange | None:
        """The end of a transaction of which all was kept."""
        bounds = self._bounds.get(_line(question, asked))
        if bounds is None or not is_end(question) or bounds.has_own or not bounds.has_kept:
            return None
        if (exchange := self._take(question, asked)) is not None:
            self._bounds.pop(_line(question, asked))
            if bounds.begin is not None:
                self._lent[bounds.begin] += 1
        return exchange

    def is_barred(self, question: Question, asked: Asked) -> bool:
        """True in a transaction that the recording does not have: what the request asked, it asked in another."""
        bounds = self._bounds.get(_line(question, asked))
        return bounds is not None and bounds.is_kept

    def answered(self, question: Question, asked: Asked) -> None:
        """The request's own recording had the answer."""
        line, method = _line(question, asked), question.method.upper()
        if method in BEGINS:
            self._bounds[line] = Bounds(begin=_key(question))
        elif is_end(question):
            self._bounds.pop(line, None)
        elif line in self._bounds or question.in_transaction:
            self._bounds.setdefault(line, Bounds()).has_own = True

    def instead(self, question: Question, asked: Asked, is_own: bool) -> Exchange | None:
        """Where that has none; `is_own`: the request had asked the same by itself."""
        line, method = _line(question, asked), question.method.upper()
        is_lent = self._lent[_key(question)] > 0
        if is_end(question) or (is_own and method not in BEGINS):  # an end comes by what it ends, else from nowhere
            return None
        if (exchange := self._take(question, asked)) is None:
            return None
        if method in BEGINS:
            self._lent[_key(question)] -= is_lent
            self._bounds[line] = Bounds(begin=_key(question) if is_lent else None, is_kept=not is_lent)
        else:
            self._bounds.setdefault(line, Bounds()).has_kept = True
        return exchange

    def _take(self, question: Question, asked: Asked) -> Exchange | None:
        taken = (each.take(question, asked) for each in self._earlier)
        return next((exchange for exchange in taken if exchange is not None), None)


def is_bound(question: Question) -> bool:
    return question.method.upper() in BEGINS or is_end(question)


def is_end(question: Question) -> bool:
    """False for the end of a part: ROLLBACK TO SAVEPOINT."""
    return question.method.upper() in ENDS and "TO" not in question.text.upper().split()


def _line(question: Question, asked: Asked) -> Line:
    return question.lib, asked.connection


def _key(question: Question) -> Hashable:
    return question.lib, question.shape, question.database
