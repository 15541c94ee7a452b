"""Connects that fail again in replay: the driver raises at the same call what it raised then, in the same words."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from timetracer_otel.drivers.postgres.connecting import UNANSWERED
from timetracer_otel.drivers.postgres.refusing import Failed
from timetracer_otel.drivers.psycopg.connecting import ADDRESS

if TYPE_CHECKING:
    from psycopg import Error

_failing: ContextVar[deque[Failed] | None] = ContextVar("timetracer_failing", default=None)


def fail_next(failures: Sequence[Failed]) -> list[dict[str, Any]]:
    """The servers to be tried: each fails as it did then. Raises what was raised where there was none to try."""
    if "address" not in failures[0]:
        raise _error(failures[0])
    _failing.set(deque(failures))
    return [_address(each) for each in failures]


def _address(failure: Failed) -> dict[str, Any]:
    address = failure.get("address")
    return {name: address[name] for name in ADDRESS if name in address} if isinstance(address, Mapping) else {}


def can_raise(failure: Failed) -> bool:
    return failure.get("type") == UNANSWERED or _kind(failure) is not None


def _kind(failure: Failed) -> type[Error] | None:
    from psycopg import errors

    kind = getattr(errors, str(failure.get("type", "")), None)
    return kind if isinstance(kind, type) and issubclass(kind, errors.Error) else None


def _error(failure: Failed) -> Error:
    from psycopg import errors

    return (_kind(failure) or errors.InternalError_)(str(failure.get("text", "")))


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
