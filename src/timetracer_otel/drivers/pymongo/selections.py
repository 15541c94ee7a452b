"""Where the driver selects a server and takes a connection, for recording and for replay.

Every command passes `Topology.select_server` and, unless its connection is pinned, `Pool._get_conn` of what came of it.
Source: pymongo 4.9 to 4.20, synchronous/topology.py and synchronous/pool.py (and asynchronous/).
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.pymongo.names import LIBRARY

Hook: TypeAlias = Callable[..., Any]
SELECTS, CONNECTS = "select_server", "_get_conn"


class Flavour(NamedTuple):
    topology: Any
    pool: Any
    is_sync: bool


def flavours() -> tuple[Flavour, ...]:
    """Only of a pymongo that is new enough."""
    return tuple(
        Flavour(
            import_module(f"pymongo.{name}.topology").Topology,
            import_module(f"pymongo.{name}.pool").Pool,
            name == "synchronous",
        )
        for name in ("synchronous", "asynchronous")
    )


def needed(lost: str) -> tuple[Flavour, ...]:
    """Both flavours. Raises MissingNames; its last words are `lost`."""
    found = flavours()
    names = [(owner, name) for each in found for owner, name in ((each.topology, SELECTS), (each.pool, CONNECTS))]
    require(LIBRARY, names, lost, own=True)
    return found


def put_in(patches: Patches, lost: str, selecting: Hook, unselected: Hook, unconnected: Hook) -> None:
    """Taps: `selecting(topology, selector, operation)` before, the others with the exception. Raises MissingNames."""
    for each in needed(lost):
        select, connect = vars(each.topology)[SELECTS], vars(each.pool)[CONNECTS]
        selects, connects = (_selects, _connects) if each.is_sync else (_async_selects, _async_connects)
        patches.put(each.topology, SELECTS, selects(select, selecting, unselected))
        patches.put(each.pool, CONNECTS, connects(connect, unconnected))


def _selects(original: Hook, selecting: Hook, unselected: Hook) -> Hook:
    @functools.wraps(original)
    def select_server(self: Any, selector: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
        selection = selecting(self, selector, operation)
        try:
            return original(self, selector, operation, *args, **kwargs)
        except BaseException as error:
            unselected(self, selection, error)
            raise

    return select_server


def _async_selects(original: Callable[..., Awaitable[Any]], selecting: Hook, unselected: Hook) -> Hook:
    @functools.wraps(original)
    async def select_server(self: Any, selector: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
        selection = selecting(self, selector, operation)
        try:
            return await original(self, selector, operation, *args, **kwargs)
        except BaseException as error:
            unselected(self, selection, error)
            raise

    return select_server


def _connects(original: Hook, unconnected: Hook) -> Hook:
    @functools.wraps(original)
    def _get_conn(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        except BaseException as error:
            unconnected(self, error)
            raise

    return _get_conn


def _async_connects(original: Callable[..., Awaitable[Any]], unconnected: Hook) -> Hook:
    @functools.wraps(original)
    async def _get_conn(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, *args, **kwargs)
        except BaseException as error:
            unconnected(self, error)
            raise

    return _get_conn
