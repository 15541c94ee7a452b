"""What an application gets in replay that asks for more than was recorded: of redis-py's own kind, never retried."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from redis.exceptions import ResponseError

CODE: Final = "TIMETRACER"
"""The word by which the stub's refusal begins, as `WRONGTYPE` begins another's. It is none for which a client asks
again, such as `LOADING` or `MOVED`."""
CLASSES: Final = "EXCEPTION_CLASSES"
PARSERS: Final = (
    ("redis._parsers.base", "BaseParser"),
    ("redis.connection", "BaseParser"),
    ("redis.asyncio.connection", "BaseParser"),
    ("redis.cluster", "ClusterParser"),
    ("redis.asyncio.cluster", "ClusterParser"),
)
"""Where the tables are. Source: redis-py 4.6 (the last four), 5.0 to 8.1 (the first and the clusters')."""


class UnrecordedCommand(ResponseError):
    """No recorded command equals this one. The text names it, and the nearest that was recorded."""


def put_in() -> None:
    """redis-py raises ours for the stub's refusal from now on."""
    for table in _tables():
        table[CODE] = UnrecordedCommand


def take_out() -> None:
    """It knows nothing of it again."""
    for table in _tables():
        table.pop(CODE, None)


def _tables() -> list[dict[str, Any]]:
    """Exceptions by the first word of an error: those of each parser, and copies that clusters make of them."""
    found: dict[int, dict[str, Any]] = {}
    for module, name in PARSERS:
        try:
            table = getattr(getattr(import_module(module), name, None), CLASSES, None)
        except ImportError:
            continue
        if isinstance(table, dict):
            found[id(table)] = table
    return list(found.values())


def refusal(text: str) -> bytes:
    """The reply that says that nothing is recorded."""
    return b"-%b %b\r\n" % (CODE.encode(), " ".join(text.split()).encode("utf-8", "replace"))
