"""The request around the code that runs: an app mounted in it, a second tracing middleware, is part of that request."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Final, Protocol, TypeAlias


class Heard(Protocol):
    @property
    def is_open(self) -> bool:
        """False once its response is complete: a pipelined request begins in the context of the one before it."""


Entered: TypeAlias = "Token[Heard | None]"

_around: Final[ContextVar[Heard | None]] = ContextVar("timetracer_asgi", default=None)


def current() -> Heard | None:
    return _around.get()


def is_open() -> bool:
    around = _around.get()
    return around is not None and around.is_open


def enter(request: Heard) -> Entered:
    return _around.set(request)


def leave(entered: Entered) -> None:
    try:
        _around.reset(entered)
    except ValueError:  # forgotten by its server, ended by the garbage collector in whatever context that finds
        pass
