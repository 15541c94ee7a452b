"""Where the servers are, and how scenarios say what came: the same in record and replay."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

PLAIN = f"http://127.0.0.1:{os.environ.get('HTTP_PLAIN', '1')}"
TLS = f"https://localhost:{os.environ.get('HTTP_TLS', '1')}"
ODD = f"http://127.0.0.1:{os.environ.get('HTTP_ODD', '1')}"
CLOSED = f"http://127.0.0.1:{os.environ.get('HTTP_CLOSED', '1')}"
UNKNOWN = "http://no-such-host.invalid:81"
CERTIFICATE = os.environ.get("HTTP_CERTIFICATE", "")
ODDS = ("dup", "trailers", "interim", "short", "eof", "garbage", "nothing")
TEXT = b"a file of the application's " * 3000


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


def broken() -> Iterator[bytes]:
    """An upload that its application breaks off."""
    yield b"a part of it"
    raise LookupError("no more")


async def broken_async() -> AsyncIterator[bytes]:
    for piece in broken():
        yield piece


def pieces() -> Iterator[bytes]:
    yield b"first;"
    yield b"second"


async def pieces_async() -> AsyncIterator[bytes]:
    for piece in pieces():
        yield piece


def chain(error: BaseException | None) -> Any:
    """Types and messages, the outermost first."""
    if error is None:
        return None
    text = re.sub(r"0x[0-9a-f]+", "0x", str(error))
    return [f"{type(error).__module__}.{type(error).__qualname__}", text, chain(error.__cause__)]


def attempt(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:  # noqa: BLE001  whatever it is, is what is told
        return chain(error)


async def attempt_async(work: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await work()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  as above
        return chain(error)


def shown(headers: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Header pairs without the values of cookies, which are secrets and masked."""
    return [(name, _attributes(value)) if _low(name) == "set-cookie" else (name, value) for name, value in headers]


def _low(name: Any) -> str:
    return (name.decode() if isinstance(name, bytes) else str(name)).lower()


def _attributes(value: Any) -> Any:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    cookie, *attributes = text.split(";")
    return cookie.partition("=")[0], attributes
