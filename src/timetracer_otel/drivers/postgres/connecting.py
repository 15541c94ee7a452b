"""A call of `connect` that connected to no server, `net.connect`: as it is recorded, by any driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from timetracer_otel.capture.table import tape
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.counting import Number
from timetracer_otel.drivers.encoded import Encoded

CONNECT: Final = "net.connect"
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
class Call:
    """One call of `connect`, as the app made it."""

    place: Place
    number: Number
    failures: list[Failure] = field(default_factory=list)


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
