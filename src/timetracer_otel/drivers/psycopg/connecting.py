"""What the taps of `connect` do: a call that fails with every server it tries is an exchange, `net.connect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from timetracer_otel.capture.table import Tape, tape
from timetracer_otel.drivers.counting import Counters
from timetracer_otel.drivers.postgres.connecting import UNANSWERED, Call, Failure, Place, put
from timetracer_otel.drivers.psycopg.tracking import LIBRARY

ADDRESS: Final = ("host", "port", "hostaddr")


@dataclass(frozen=True, slots=True)
class Dialling:
    """A call under way, and the servers that it tries in turn."""

    call: Call
    addresses: Sequence[Mapping[str, str]]


_dialling: ContextVar[Dialling | None] = ContextVar("timetracer_dialling", default=None)
_counters: Final = Counters()


def dialling(parameters: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> None:
    """The app connects; `attempts` are the servers to be tried, in order."""
    if (active := tape()) is not None:
        addresses = [{name: str(each[name]) for name in ADDRESS if each.get(name)} for each in attempts]
        _dialling.set(Dialling(_call(active, parameters), addresses))


def unresolved(parameters: Mapping[str, Any], error: BaseException) -> None:
    """No server could be tried, since none of their names means anything."""
    if (active := tape()) is not None:
        call = _call(active, parameters)
        call.failures.append(Failure(type(error).__name__, str(error)))
        put(LIBRARY, call)


def connected() -> None:
    _dialling.set(None)


def failed(error: BaseException) -> None:
    """One server could not be connected to, or the app has had enough."""
    from psycopg import Error

    current = _dialling.get()
    if current is None:  # another connection is made, to cancel something
        return
    failures, addresses = current.call.failures, current.addresses
    address = addresses[len(failures)] if len(failures) < len(addresses) else {}
    more = {"address": dict(address)} if address else {}
    if isinstance(error, Error):
        failures.append(Failure(type(error).__name__, str(error), more))
    else:
        failures.append(Failure(UNANSWERED, more=more))
    if len(failures) >= len(addresses) or not isinstance(error, Exception):
        _dialling.set(None)
        put(LIBRARY, current.call)


def _call(active: Tape, parameters: Mapping[str, Any]) -> Call:
    place = place_of(parameters)
    return Call(place, _counters.next(active.segment(), place))


def place_of(parameters: Mapping[str, Any]) -> Place:
    return Place(*(str(parameters.get(name) or "") for name in ("host", "port", "user", "dbname")))
