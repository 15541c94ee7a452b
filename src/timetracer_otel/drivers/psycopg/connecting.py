"""What the taps of `connect` do: a call that fails with every server it tries is an exchange, `net.connect`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry import trace

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.psycopg.tracking import LIBRARY

TRACES_MAX: Final = 1000
UNANSWERED: Final = "unanswered"
"""In place of an exception's type: the app waited until it had enough."""
ADDRESS: Final = ("host", "port", "hostaddr")


@dataclass(frozen=True, slots=True)
class Failure:
    """One server that could not be connected to. `type` is the exception's."""

    type: str
    text: str
    address: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Dialling:
    """One call of `connect`, as the app made it."""

    host: str
    port: str
    user: str
    database: str
    number: int
    """How many calls there were before it under the same trace."""
    addresses: Sequence[Mapping[str, str]] = ()
    failures: list[Failure] = field(default_factory=list)


_dialling: ContextVar[Dialling | None] = ContextVar("timetracer_dialling", default=None)
_calls: OrderedDict[int, int] = OrderedDict()


def dialling(parameters: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> None:
    """The app connects; `attempts` are the servers to be tried, in order."""
    if tape() is not None:
        call = _call(parameters)
        call.addresses = [{name: str(each[name]) for name in ADDRESS if each.get(name)} for each in attempts]
        _dialling.set(call)


def unresolved(parameters: Mapping[str, Any], error: BaseException) -> None:
    """No server could be tried, since none of their names means anything."""
    if tape() is not None:
        call = _call(parameters)
        call.failures.append(Failure(type(error).__name__, str(error)))
        _put(call)


def connected() -> None:
    _dialling.set(None)


def failed(error: BaseException) -> None:
    """One server could not be connected to, or the app has had enough."""
    from psycopg import Error

    call = _dialling.get()
    if call is None:  # another connection is made, to cancel something
        return
    tried = len(call.failures)
    address = call.addresses[tried] if tried < len(call.addresses) else {}
    is_said = isinstance(error, Error)
    call.failures.append(
        Failure(type(error).__name__ if is_said else UNANSWERED, str(error) if is_said else "", address)
    )
    if len(call.failures) >= len(call.addresses) or not isinstance(error, Exception):
        _dialling.set(None)
        _put(call)


def _put(call: Dialling) -> None:
    active = tape()
    if active is None or not active.listens():
        return
    captured = active.open(LIBRARY, call)
    if captured is not None:
        active.close(captured, None, sum(len(each.text) for each in call.failures))


def _call(parameters: Mapping[str, Any]) -> Dialling:
    said = {name: str(parameters.get(name) or "") for name in ("host", "port", "user", "dbname")}
    return Dialling(said["host"], said["port"], said["user"], said["dbname"], _number())


def _number() -> int:
    trace_id = trace.get_current_span().get_span_context().trace_id
    number = _calls.get(trace_id, 0)
    _calls[trace_id] = number + 1
    _calls.move_to_end(trace_id)
    if len(_calls) > TRACES_MAX:
        _calls.popitem(last=False)
    return number
