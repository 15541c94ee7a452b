"""Connects that fail again in replay: the driver raises at the same call what it raised then, in the same words."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakKeyDictionary

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import AnswerSource, Asked, Question, Slot
from timetracer_otel.drivers.psycopg.connecting import ADDRESS, UNANSWERED
from timetracer_otel.drivers.psycopg.tracking import LIBRARY

CONNECT: Final = "net.connect"

_failing: ContextVar[deque[Mapping[str, Any]] | None] = ContextVar("timetracer_failing", default=None)


class Calls:
    """Counts the calls of `connect` in each session, which is how a recorded failure finds its own."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[AnswerSource, int] = WeakKeyDictionary()

    def failures(self, source: AnswerSource, asked: Asked, database: str | None) -> list[Mapping[str, Any]]:
        """Of the next call; empty where it did not fail."""
        number = self._made.get(source, 0)
        self._made[source] = number + 1
        if not source.known(LIBRARY, SHAPE):
            return []
        exchange = source.take(_question(number, "", database), asked)
        return [] if exchange is None else _failures(exchange)


SHAPE: Final = (CONNECT,)


def question_of_connect(exchange: Exchange) -> Question:
    """Which call of `connect` it was."""
    request = exchange.request
    number = request.get("call")
    return _question(number if isinstance(number, int) else -1, str(request.get("host", "")), exchange.signature.url)


def _question(number: int, host: str, database: str | None) -> Question:
    slot = Slot(path="call", key=number, shown=number)
    return Question(LIBRARY, "CONNECT", database or "", SHAPE, f"connect {host}".strip(), (slot,))


def _failures(exchange: Exchange) -> list[Mapping[str, Any]]:
    failures = exchange.result.get("failures")
    return [each for each in failures if isinstance(each, Mapping)] if isinstance(failures, (list, tuple)) else []


def fail_next(failures: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The servers to be tried: each fails as it did then. Raises what was raised where there was none to try."""
    if "address" not in failures[0]:
        raise _error(failures[0])
    _failing.set(deque(failures))
    return [_address(each) for each in failures]


def _address(failure: Mapping[str, Any]) -> dict[str, Any]:
    address = failure.get("address")
    return {name: address[name] for name in ADDRESS if name in address} if isinstance(address, Mapping) else {}


def _error(failure: Mapping[str, Any]) -> BaseException:
    from psycopg import errors

    kind = getattr(errors, str(failure.get("type", "")), None)
    is_error = isinstance(kind, type) and issubclass(kind, errors.Error)
    return kind(str(failure.get("text", ""))) if kind is not None and is_error else errors.OperationalError("")


def refusing(original: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Generator[Any, Any, Any]]:
    """Of the generator that connects to one server."""

    def connect(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        failing = _failing.get()
        if not failing:
            return (yield from original(*args, **kwargs))
        failure = failing.popleft()
        if failure.get("type") != UNANSWERED:
            raise _error(failure)
        return (yield from _silence())

    return connect


def _silence() -> Generator[Any, Any, Any]:
    """Nobody answers; the app gives up when it has had enough."""
    from psycopg.waiting import Wait

    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        while True:
            yield ours.fileno(), Wait.R
