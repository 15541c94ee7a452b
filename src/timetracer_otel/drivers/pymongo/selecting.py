"""What the taps of server selection do: a selection that fails, or gets no connection, is an exchange.

No command is made then, and so there is no span: the exchange belongs to the one that is current. Which selection it
was is counted, as calls of `connect` are for PostgreSQL.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from timetracer_otel.capture.table import tape
from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.counting import Counters, Number
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.pymongo.housework import BY_ITSELF
from timetracer_otel.drivers.pymongo.names import CONNECT, FAILURE, LIBRARY, SELECT, UNANSWERED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from timetracer_otel.redaction import Redactor

HOSTS: Final = "_timetracer_hosts"
"""Attribute of a topology's settings: the servers as the app named them."""


class Wanted(NamedTuple):
    """What kind of server is looked for, and for what. A tuple, since one is made for each command."""

    hosts: str
    operation: str
    selector: str


class Selection(NamedTuple):
    """One selection, as the driver made it."""

    wanted: Wanted
    number: Number
    began_ns: int


@dataclass(frozen=True, slots=True)
class Failed:
    """How it ended; `timeout_s` is None where there was none to wait for."""

    selection: Selection
    type: str
    timeout_s: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Its exception. `type` is one of pymongo's."""

    type: str
    text: str = ""
    code: int | None = None
    labels: tuple[str, ...] = ()


_counters: Final = Counters()
_selected: Final[ContextVar[Selection | None]] = ContextVar("timetracer_pymongo_selection", default=None)
"""The last one of this context: the connection that is taken next is for it."""


def selecting(topology: Any, selector: Any, operation: Any) -> Selection | None:
    """A server is looked for; None where nobody would hear of it, or the driver does so for itself."""
    active = tape()
    wanted = None if active is None or not active.listens() else wanted_of(topology, selector, operation)
    if active is None or wanted is None:
        _selected.set(None)
        return None
    number = _counters.next(active.segment(), wanted)
    selection = Selection(wanted, number, time.time_ns())
    _selected.set(selection)
    return selection


def unselected(topology: Any, selection: Selection | None, error: BaseException) -> None:
    """None was found in time, or the app has had enough."""
    from pymongo.errors import ServerSelectionTimeoutError

    _selected.set(None)
    if selection is not None and isinstance(error, (ServerSelectionTimeoutError, asyncio.CancelledError)):
        _put(Failed(selection, SELECT, topology._settings.server_selection_timeout), error)


def unconnected(pool: Any, error: BaseException) -> None:
    """The server that was selected gave no connection."""
    from pymongo.errors import ConnectionFailure, OperationFailure

    selection = _selected.get()
    if selection is None or is_monitors(pool):
        return
    _selected.set(None)
    if isinstance(error, (ConnectionFailure, OperationFailure, asyncio.CancelledError)):
        _put(Failed(selection, CONNECT, None), error)


def wanted_of(topology: Any, selector: Any, operation: Any) -> Wanted | None:
    """None for what the driver does by itself."""
    name = str(getattr(operation, "value", operation))
    if name in BY_ITSELF:
        return None
    return Wanted(_hosts(topology._settings), name, getattr(selector, "__name__", None) or type(selector).__name__)


def is_monitors(pool: Any) -> bool:
    """A pool of a monitor, which may have come from the context of a request. Its name is another one since 4.13."""
    return bool(getattr(pool, "is_sdam", not getattr(pool, "handshake", True)))


def _hosts(settings: Any) -> str:
    found: str | None = getattr(settings, HOSTS, None)
    if found is None:
        found = settings.fqdn or ",".join(sorted(f"{host}:{port}" for host, port in settings.seeds))
        setattr(settings, HOSTS, found)
    return str(found)


def _put(failed: Failed, error: BaseException) -> None:
    active = tape()
    captured = None if active is None else active.open(LIBRARY, failed)
    if active is None or captured is None:
        return
    captured.opened_ns = failed.selection.began_ns
    failure = _failure(error)
    active.close(captured, failure, len(failure.text))


def _failure(error: BaseException) -> Failure:
    from pymongo.errors import OperationFailure, PyMongoError

    if not isinstance(error, PyMongoError):
        return Failure(UNANSWERED)
    code = error.code if isinstance(error, OperationFailure) else None
    return Failure(type(error).__name__, str(error), code, tuple(sorted(error._error_labels)))


# ---- as it is recorded -----------------------------------------------------------------------------------------------


def encoded(failed: Failed, result: object) -> Encoded:
    wanted, number = failed.selection.wanted, failed.selection.number
    request: dict[str, Value] = {
        "hosts": wanted.hosts,
        "operation": wanted.operation,
        "selector": wanted.selector,
        "call": number.call,
        "same": number.same,
    }
    if failed.timeout_s is not None:
        request["timeout_ms"] = round(failed.timeout_s * 1000)
    return Encoded(
        type=failed.type,
        lib=LIBRARY,
        method=wanted.operation,
        url=wanted.hosts,
        request=request,
        result={FAILURE: _plain(result)} if isinstance(result, Failure) else {},
        target=f"mongodb://{wanted.hosts}",
        is_plain=True,
    )


def _plain(failure: Failure) -> Mapping[str, Value]:
    told: dict[str, Value] = {"type": failure.type, "text": failure.text}
    if failure.code is not None:
        told["code"] = failure.code
    if failure.labels:
        labels: Sequence[Value] = list(failure.labels)
        told["labels"] = labels
    return told


def masked(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
    """What servers and the system say may repeat a secret."""
    failure = encoded.result.get(FAILURE)
    text = failure.get("text") if isinstance(failure, dict) else None
    if not isinstance(failure, dict) or not isinstance(text, str) or (told := redactor.text(text)) == text:
        return encoded, ()
    return replace(encoded, result={FAILURE: {**failure, "text": told}}), (f"result.{FAILURE}.text",)
