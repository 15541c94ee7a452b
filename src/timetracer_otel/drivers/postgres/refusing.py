"""Which calls of `connect` fail again in replay, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.drivers.base import AnswerSource, Asked, Question, Slot
from timetracer_otel.drivers.counting import Counter, Number
from timetracer_otel.drivers.postgres.connecting import CONNECT, Place

SHAPE: Final = (CONNECT,)


PORT: Final = 5432
"""Where none is named."""
REFUSED: Final = "refused"
"""In place of an exception's type: what was recorded cannot be raised here. The driver raises its internal error."""

Failed: TypeAlias = Mapping[str, Any]
"""One of the `failures` of an exchange."""


class Calls:
    """Counts the calls of `connect` in each session, which is how a recorded failure finds its own."""

    def __init__(self, library: str, can_raise: Callable[[Failed], bool]) -> None:
        self._library, self._can_raise = library, can_raise
        self._made: WeakKeyDictionary[AnswerSource, Counter] = WeakKeyDictionary()

    def failures(self, source: AnswerSource, asked: Asked, place: Place) -> Sequence[Failed]:
        """Of the next call, one for each server that was tried; empty where it did not fail."""
        number = self._made.setdefault(source, Counter()).next(place)
        recorded = _recorded(source, self._library, place, number)
        exchange = None if recorded is None else source.take(question_of_connect(recorded), asked)
        if exchange is None:
            return ()
        failures, library = _failures(exchange), exchange.signature.lib
        if failures and library == self._library and all(map(self._can_raise, failures)):
            return failures
        wanted, problem = question_of_connect(exchange), f"{self._library} cannot raise what {library} raised"
        source.undecided(f"{wanted.text}: {problem}")
        return ({"type": REFUSED, "text": source.miss(wanted, asked, note=problem)},)


def question_of_connect(exchange: Exchange) -> Question:
    """Which call of `connect` it was."""
    request, signature = exchange.request, exchange.signature
    number, host = request.get("call"), str(request.get("host", ""))
    slot = Slot(path="call", key=number if isinstance(number, int) else -1, shown=number)
    return Question(signature.lib, "CONNECT", signature.url, SHAPE, f"connect {host}".strip(), (slot,))


def _recorded(source: AnswerSource, library: str, place: Place, number: Number) -> Exchange | None:
    """The failure of this call. Which call it is says the place; where replay connects to another place than any that
    was recorded, its number alone: pools of another size then count, too."""
    known = source.known(library, SHAPE)
    there = [each for each in known if _place(each) == place]
    if there:
        return next((each for each in there if each.request.get("same") == number.same), None)
    if not known or any(_leads_to(each, place) for each in source.connections(library)):
        return None
    return next((each for each in known if each.request.get("call") == number.call), None)


def _place(exchange: Exchange) -> Place:
    return Place(*(str(exchange.request.get(name, "")) for name in ("host", "port", "user", "database")))


def _leads_to(connection: Connection, place: Place) -> bool:
    """True where the recorded app has connected to one of these servers."""
    recorded = unquote(connection.target.rpartition("@")[2].partition("/")[0])
    hosts, ports = place.host.split(","), place.port.split(",")
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    return recorded in [f"{host}:{port or PORT}" for host, port in zip(hosts, ports, strict=True)]


def _failures(exchange: Exchange) -> Sequence[Failed]:
    failures = exchange.result.get("failures")
    return [each for each in failures if isinstance(each, Mapping)] if isinstance(failures, (list, tuple)) else []
