"""What asyncpg raises when it cannot connect, as values, and the same exception from them.

Only types of asyncpg and of the system are made: what else comes out of `connect` is the app's own and comes again.
"""

from __future__ import annotations

import asyncio
import builtins
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.postgres.connecting import UNANSWERED, Failure

ATTRIBUTES: Final = ("detail", "hint", "library", "reason", "verify_code", "verify_message")
"""Of InterfaceError, SSLError and SSLCertVerificationError."""


def failure_of(error: BaseException) -> Failure | None:
    """None for an exception of the app's own, such as its function for the password raises."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return Failure(UNANSWERED)
    kind = type(error).__name__
    if _kind(kind) is not type(error):
        return None
    if (fields := _fields(error)) is not None:
        return Failure(kind, str(error), {"error": fields})
    arguments = error.args
    more: dict[str, Value] = {name: value for name in ATTRIBUTES if (value := getattr(error, name, None)) is not None}
    if len(arguments) > 1 and isinstance(arguments[0], int):
        more["errno"], arguments = arguments[0], arguments[1:]
    if not arguments:
        more["is_silent"] = True
    return Failure(kind, str(arguments[0]) if arguments else "", more)


def can_raise(failure: Mapping[str, Any]) -> bool:
    kind = failure.get("type")
    return kind == UNANSWERED or _kind(kind) is not None


def error_of(failure: Mapping[str, Any]) -> BaseException:
    """The exception that `failure_of` was given; asyncpg's internal error for what is no such."""
    from asyncpg import InternalServerError, PostgresError

    fields, text = failure.get("error"), str(failure.get("text", ""))
    if isinstance(fields, Mapping):
        made: BaseException = PostgresError.new({str(letter): str(value) for letter, value in fields.items()})
        return made
    code = failure.get("errno")
    arguments: list[int | str] = [code] if isinstance(code, int) else []
    if not failure.get("is_silent"):
        arguments.append(text)
    error: BaseException = (_kind(failure.get("type")) or InternalServerError)(*arguments)
    for name in ATTRIBUTES:
        if name in failure:
            setattr(error, name, failure[name])
    return error


def _fields(error: BaseException) -> Mapping[str, Value] | None:
    """What the server said; None where asyncpg itself or the system spoke."""
    letters: Mapping[str, str] = getattr(type(error), "_field_map", {})
    said = vars(error)
    found: dict[str, Value] = {letter: str(said[name]) for letter, name in letters.items() if said.get(name)}
    return found if "C" in found else None


def _kind(name: object) -> Any:
    """The exception type of this name; None unless it is one that `connect` raises by itself."""
    if not isinstance(name, str):
        return None
    from asyncpg import exceptions

    bases = (exceptions.PostgresError, exceptions.InterfaceError, exceptions.InternalClientError, OSError)
    for owner in (exceptions, builtins, socket, ssl):
        kind = getattr(owner, name, None)
        if isinstance(kind, type) and issubclass(kind, bases):
            return kind
    return None
