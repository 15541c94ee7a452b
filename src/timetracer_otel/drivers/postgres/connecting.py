"""A call of `connect` that connected to no server, `net.connect`: as it is recorded, by any driver."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry import trace

from timetracer_otel.capture.table import tape
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.base import Encoded

CONNECT: Final = "net.connect"
TRACES_MAX: Final = 1000
PLACES_MAX: Final = 100
"""Of one trace that are told apart."""
UNANSWERED: Final = "unanswered"
"""In place of an exception's type: the app waited until it had enough."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one server could not be connected to. `type` is the exception's."""

    type: str
    text: str = ""
    more: Mapping[str, Value] = field(default_factory=dict)
    """What else the driver needs to raise the same again; the driver's own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to, in the app's own words: empty what it leaves to the environment."""

    host: str = ""
    port: str = ""
    user: str = ""
    database: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """Which call of `connect` it is, counted from 0 under one trace."""

    call: int
    same: int
    """Among those to the same place."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `connect`, as the app made it."""

    place: Place
    number: Number
    failures: list[Failure] = field(default_factory=list)


class Counter:
    """Counts calls under one trace."""

    def __init__(self) -> None:
        self._calls = 0
        self._places: dict[Place, int] = {}

    def next(self, place: Place) -> Number:
        number = Number(self._calls, self._places.get(place, 0))
        self._calls += 1
        if place in self._places or len(self._places) < PLACES_MAX:
            self._places[place] = number.same + 1
        return number


class Counters:
    """Counts the calls of one driver, trace by trace."""

    def __init__(self) -> None:
        self._traces: OrderedDict[int, Counter] = OrderedDict()

    def next(self, place: Place) -> Number:
        """Of a call that is made now, under the current trace."""
        trace_id = trace.get_current_span().get_span_context().trace_id
        counter = self._traces.setdefault(trace_id, Counter())
        self._traces.move_to_end(trace_id)
        if len(self._traces) > TRACES_MAX:
            self._traces.popitem(last=False)
        return counter.next(place)


def put(library: str, call: Call) -> None:
    """The call has failed: an exchange of its own, if somebody records here."""
    active = tape()
    if active is None or not active.listens():
        return
    captured = active.open(library, call)
    if captured is not None:
        active.close(captured, None, sum(len(each.text) for each in call.failures))


def encoded(library: str, call: Call) -> Encoded:
    place, number = call.place, call.number
    request: Payload = {
        "host": place.host,
        "port": place.port,
        "user": place.user,
        "database": place.database,
        "call": number.call,
        "same": number.same,
    }
    failures: list[Value] = [{"type": each.type, "text": each.text, **each.more} for each in call.failures]
    return Encoded(CONNECT, library, "CONNECT", place.database, request, {"failures": failures}, is_plain=True)
