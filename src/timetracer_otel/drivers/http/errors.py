"""How a request failed: a chain of exceptions as plain data, and exceptions made of it again.

Only types of Python's own network modules and of the client itself are made: a recording names no others (0013).
"""

from __future__ import annotations

import asyncio
import builtins
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Final, TypeAlias

from timetracer_otel.cassette.model import Value

Chain: TypeAlias = "list[list[Any]]"
"""`[type, [arguments]]`, outermost first. Any: it is plain data."""
DEPTH_MAX: Final = 8
_MODULES: Final[Mapping[str, ModuleType]] = {"builtins": builtins, "socket": socket, "ssl": ssl, "_ssl": ssl}
NO_CONNECTION: Final = "Failed to establish a new connection: "
_RAISABLE: Final = (OSError, EOFError, asyncio.IncompleteReadError)


def chain_of(error: BaseException | None) -> Chain:
    """Types and plain arguments along causes and contexts, the outermost first."""
    chain: Chain = []
    while error is not None and len(chain) < DEPTH_MAX:
        arguments = [each if isinstance(each, (int, str)) else str(each) for each in error.args]
        chain.append([f"{type(error).__module__}.{type(error).__qualname__}", arguments])
        error = error.__cause__ or error.__context__
    return chain


def links(error: Value) -> list[tuple[str, list[Any]]]:
    """A recorded chain, of anybody's making."""
    return list(_links(error))


def _links(error: Value) -> Iterator[tuple[str, list[Any]]]:
    for each in error if isinstance(error, (list, tuple)) else ():
        if isinstance(each, (list, tuple)) and len(each) == 2 and isinstance(each[1], (list, tuple)):
            yield str(each[0]), list(each[1])


def system_error(error: Value) -> BaseException | None:
    """The innermost that the operating system or TLS raised; None if there is none."""
    for name, arguments in reversed(links(error)):
        module, _, kind = name.rpartition(".")
        found = getattr(_MODULES.get(module), kind, None)
        if isinstance(found, type) and issubclass(found, _RAISABLE):
            return _made(found, arguments)
    return None


def chained_error(error: Value, packages: Sequence[str]) -> BaseException | None:
    """The chain, each raised from the next, of Python's network modules and, where imported, of these packages."""
    made: BaseException | None = None
    for name, arguments in reversed(links(error)):
        module, _, kind = name.rpartition(".")
        is_theirs = module.partition(".")[0] in packages
        found = getattr(sys.modules.get(module) if is_theirs else _MODULES.get(module), kind, None)
        if isinstance(found, type) and issubclass(found, Exception if is_theirs else _RAISABLE):
            cause, made = made, _made(found, arguments)
            made.__cause__ = cause
    return made


def client_error(error: Value, client: Any) -> BaseException | None:
    """The outermost, where it is one of the client's own: `client` is its module."""
    for name, arguments in links(error)[:1]:
        module, _, kind = name.rpartition(".")
        found = getattr(client, kind, None) if module.partition(".")[0] == client.__name__.partition(".")[0] else None
        if isinstance(found, type) and issubclass(found, Exception):
            return _made(found, arguments)
    return None


def _made(kind: Any, arguments: Sequence[Any]) -> BaseException:
    try:
        made: BaseException = kind(*arguments)
    except TypeError:  # another release asks for more
        made = OSError(*map(str, arguments[:1]))
    return made


def dialled(error: Value) -> str:
    """Why urllib3 has got no connection, where it says so: PySocks keeps its words for its text alone. Else empty."""
    texts = (str(argument) for _, arguments in links(error) for argument in arguments)
    return next((text.partition(NO_CONNECTION)[2] for text in texts if NO_CONNECTION in text), "")


def innermost(error: Value) -> str:
    """What it says, for people."""
    found = links(error)
    if not found:
        return ""
    name, arguments = found[0]
    text = next((str(each) for each in reversed(arguments) if isinstance(each, str)), "")
    return f"{name.rpartition('.')[2]}: {text}" if text else name.rpartition(".")[2]
