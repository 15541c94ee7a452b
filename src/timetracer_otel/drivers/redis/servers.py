"""Which recorded server a connection under replay stands for.

Its address may be another one on a laptop. Where the recording knows one server that says nothing, and any address will
do; where it knows several, the address tells them apart, or else what is asked there: an answer of one server is none
of another's.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Final

from timetracer_otel.drivers.base import AnswerSource, Question
from timetracer_otel.drivers.redis.names import LIBRARY

TOPOLOGY: Final = ((b"CLUSTER",), (b"SENTINEL",))
"""Names of commands by which a client learns where its servers are: those are one, wherever a key or a primary is."""


def label(server: str, database: int) -> str:
    """A server and the number of its database, as `Question.database` names them."""
    return f"{server}/{database}"


class Servers:
    """Those of one session."""

    def __init__(self, source: AnswerSource) -> None:
        self._questions = source.questions(LIBRARY)
        self._recorded = tuple(dict.fromkeys(each.database for each in self._questions if each.database is not None))
        self._are_one = any(source.known(LIBRARY, ("", names)) for names in TOPOLOGY)
        self._bound: dict[str, str] = {}

    def of(self, own: str, wanted: Question) -> Sequence[str]:
        """Labels of recorded servers that may answer there; the label of its own where none may, or any."""
        if len(self._recorded) < 2:
            return (own,)
        is_known = own in self._recorded
        if self._are_one:
            return tuple(dict.fromkeys([*([own] if is_known else []), *self._alike(own), own]))
        if is_known:
            return (own,)
        if own not in self._bound:
            self._bind(own, wanted)
        return (self._bound.get(own, own),)

    def _alike(self, own: str) -> Iterable[str]:
        """Those whose database has the same number."""
        number = own.rpartition("/")[2]
        return (each for each in self._recorded if each.rpartition("/")[2] == number)

    def _bind(self, own: str, wanted: Question) -> None:
        """Where one server alone can be meant, this is it from now on."""
        free = [each for each in self._alike(own) if each not in self._bound.values()]
        if len(free) > 1:
            keys = _keys(wanted)
            asked = {each.database for each in self._questions if each.shape == wanted.shape and _keys(each) == keys}
            free = [each for each in free if each in asked]
        if len(free) == 1:
            self._bound[own] = free[0]


def _keys(question: Question) -> list[object]:
    return [slot.key for slot in question.slots]


_servers: Final[weakref.WeakKeyDictionary[AnswerSource, Servers]] = weakref.WeakKeyDictionary()


def servers(source: AnswerSource) -> Servers:
    """Those of the session, the same for all its connections."""
    found = _servers.get(source)
    if found is None:
        found = _servers[source] = Servers(source)
    return found
