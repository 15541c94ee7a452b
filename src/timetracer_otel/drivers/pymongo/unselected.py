"""Which selections of a server fail again in replay, and how: at once, and in the words of the recording."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakKeyDictionary

from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.drivers.base import AnswerSource, Asked, Question, ReplayHost, Slot
from timetracer_otel.drivers.counting import Counter, Number
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.pymongo.names import CONNECT, FAILURE, LIBRARY, SELECT, UNANSWERED
from timetracer_otel.drivers.pymongo.selecting import Wanted, is_monitors, wanted_of
from timetracer_otel.drivers.pymongo.selections import CONNECTS, SELECTS, needed

SHAPE: Final = (SELECT,)

Hook = Callable[..., Any]


class Silence(Exception):
    """Nobody answers; the app gives up when it has had enough. Never raised."""


class Selections:
    """Counts the selections of each session, which is how a recorded failure finds its own."""

    def __init__(self, host: ReplayHost) -> None:
        self._host = host
        self._made: WeakKeyDictionary[AnswerSource, dict[int, Counter]] = WeakKeyDictionary()
        self._unconnected: ContextVar[BaseException | None] = ContextVar("timetracer_unconnected", default=None)
        """What the next connection of this context is to fail with."""

    def put_in(self, patches: Patches, lost: str) -> None:
        """Raises MissingNames."""
        for each in needed(lost):
            select, connect = vars(each.topology)[SELECTS], vars(each.pool)[CONNECTS]
            selects, connects = (_selects, _connects) if each.is_sync else (_async_selects, _async_connects)
            patches.put(each.topology, SELECTS, selects(select, self))
            patches.put(each.pool, CONNECTS, connects(connect, self))

    def selecting(self, topology: Any, selector: Any, operation: Any, can_wait: bool) -> BaseException | None:
        """What this selection fails with; None where it did not fail."""
        self._unconnected.set(None)
        wanted = wanted_of(topology, selector, operation)
        if wanted is None:
            return None
        source, asked = self._host.current()
        number = self._made.setdefault(source, {}).setdefault(os.getpid(), Counter()).next(wanted)
        recorded = _recorded(source, wanted, number)
        exchange = None if recorded is None else source.take(question_of_selection(recorded), asked)
        if exchange is None:
            return None
        error = _again(exchange, can_wait) or _refused(source, asked, exchange)
        if exchange.type == SELECT:
            return error
        self._unconnected.set(error)
        return None

    def connecting(self, pool: Any) -> BaseException | None:
        """What taking a connection fails with."""
        error = self._unconnected.get()
        if error is None or is_monitors(pool):
            return None
        self._unconnected.set(None)
        return error


def question_of_selection(exchange: Exchange) -> Question:
    """Which selection it was."""
    request, signature = exchange.request, exchange.signature
    number, what = request.get("call"), "select a server" if exchange.type == SELECT else "connect"
    slot = Slot(path="call", key=number if isinstance(number, int) else -1, shown=number)
    return Question(LIBRARY, signature.method, signature.url, SHAPE, f"{what} for {signature.method}", (slot,))


def _recorded(source: AnswerSource, wanted: Wanted, number: Number) -> Exchange | None:
    """The failure of this selection. Which one it is say the servers that the app named and what for; where it names
    others than the recording, its number alone."""
    known = [each for each in source.known(LIBRARY, SHAPE) if each.type in (SELECT, CONNECT)]
    if not known:
        return None
    there = [each for each in known if each.request.get("hosts") == wanted.hosts]
    if there:
        return next(
            (each for each in there if _wanted(each) == wanted and each.request.get("same") == number.same), None
        )
    if any(each.target.partition("://")[2] in wanted.hosts.split(",") for each in source.connections(LIBRARY)):
        return None
    is_alike = (each for each in known if each.request.get("operation") == wanted.operation)
    return next((each for each in is_alike if each.request.get("call") == number.call), None)


def _wanted(exchange: Exchange) -> Wanted:
    return Wanted(*(str(exchange.request.get(name, "")) for name in ("hosts", "operation", "selector")))


# ---- what is raised --------------------------------------------------------------------------------------------------


def _again(exchange: Exchange, can_wait: bool) -> BaseException | None:
    """The recorded exception; None where it is none of pymongo's."""
    from pymongo import errors

    failure = exchange.result.get(FAILURE)
    told: Mapping[str, Value] = failure if isinstance(failure, Mapping) else {}
    name, text, code = str(told.get("type", "")), str(told.get("text", "")), told.get("code")
    if name == UNANSWERED:
        return Silence() if can_wait else None
    kind = getattr(errors, name, None)
    if not isinstance(kind, type) or not issubclass(kind, (errors.ConnectionFailure, errors.OperationFailure)):
        return None  # what is recorded chooses no code
    error: errors.PyMongoError
    if issubclass(kind, errors.OperationFailure):
        error = kind(text, code if isinstance(code, int) else None)
    else:
        error = kind(text)
    labels = told.get("labels")
    for label in labels if isinstance(labels, (list, tuple)) else ():
        error._add_error_label(str(label))
    return error


def _refused(source: AnswerSource, asked: Asked, exchange: Exchange) -> BaseException:
    from timetracer_otel.drivers.pymongo.exceptions import UnrecordedCommand
    from timetracer_otel.wire.mongo.backend import MISMATCH

    wanted, problem = question_of_selection(exchange), "pymongo cannot raise what was recorded"
    source.undecided(f"{wanted.text}: {problem}")
    return UnrecordedCommand(source.miss(wanted, asked, note=problem), MISMATCH)


# ---- where it is raised ----------------------------------------------------------------------------------------------


def _selects(original: Hook, selections: Selections) -> Hook:
    @functools.wraps(original)
    def select_server(self: Any, selector: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
        error = selections.selecting(self, selector, operation, can_wait=False)
        if error is not None:
            raise error
        return original(self, selector, operation, *args, **kwargs)

    return select_server


def _async_selects(original: Callable[..., Awaitable[Any]], selections: Selections) -> Hook:
    @functools.wraps(original)
    async def select_server(self: Any, selector: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
        error = selections.selecting(self, selector, operation, can_wait=True)
        if error is not None:
            await _raised(error)
        return await original(self, selector, operation, *args, **kwargs)

    return select_server


def _connects(original: Hook, selections: Selections) -> Hook:
    @functools.wraps(original)
    def _get_conn(self: Any, *args: Any, **kwargs: Any) -> Any:
        error = selections.connecting(self)
        if error is not None:
            raise error
        return original(self, *args, **kwargs)

    return _get_conn


def _async_connects(original: Callable[..., Awaitable[Any]], selections: Selections) -> Hook:
    @functools.wraps(original)
    async def _get_conn(self: Any, *args: Any, **kwargs: Any) -> Any:
        error = selections.connecting(self)
        if error is not None:
            await _raised(error)
        return await original(self, *args, **kwargs)

    return _get_conn


async def _raised(error: BaseException) -> None:
    if isinstance(error, Silence):
        await asyncio.get_running_loop().create_future()
    raise error
