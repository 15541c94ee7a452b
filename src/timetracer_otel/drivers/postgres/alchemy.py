"""SQLAlchemy's pools, over whichever driver: each wait for a connection. SQLAlchemy may come late, or never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.postgres.pooling import Asking, acquiring

MODULE: Final = "sqlalchemy.pool"
NAME: Final = "sqlalchemy"
# SQLAlchemy may not be installed, and what we ask its pools is private: nothing here has a type.
NumberOf: TypeAlias = Callable[[Any], "int | None"]
"""The number of a connection of the driver."""

_numbers: Final[dict[str, NumberOf]] = {}
"""By driver, of those that record."""
_patches: Final = Patches()
_waiting: Final[WeakKeyDictionary[Any, set[Asking]]] = WeakKeyDictionary()
"""Calls under way by their pool: SQLAlchemy does not say how many wait. Threads share it; each step is one of Python's
own, which none interrupts."""
_under_way: Final[dict[Asking, set[Asking]]] = {}
"""Each with those that wait for the same pool."""


def install(driver: str, number_of: NumberOf) -> None:
    """Waits of pools over this driver are recorded from now on."""
    from wrapt import register_post_import_hook

    _numbers[driver] = number_of
    register_post_import_hook(guarded(driver)(_put_in), MODULE)  # at once if it is imported already


def uninstall(driver: str) -> None:
    _numbers.pop(driver, None)
    if not _numbers:
        _patches.undo()


def _put_in(module: Any) -> None:
    if _numbers and not _patches:
        wrap = acquiring(NAME, asking, given, refused)
        _patches.put(module.Pool, "connect", wrap(vars(module.Pool)["connect"]))


def asking(pool: Any) -> Asking | None:
    """None over a driver that does not record, and for pools that have nobody wait."""
    driver = pool._dialect.driver
    if driver not in _numbers or not hasattr(pool, "checkedin"):
        return None
    active = tape()
    waiting = _waiting.setdefault(pool, set())
    idle, used, overflow = pool.checkedin(), pool.checkedout(), pool._max_overflow
    most = 0 if overflow < 0 else pool.size() + overflow
    begun = Asking(driver, NAME, idle + used, most, idle, len(waiting))
    begun.is_heard = active is not None and active.listens()
    waiting.add(begun)
    _under_way[begun] = waiting
    return begun


def given(begun: Asking, connection: Any) -> None:
    _leave(begun)
    if begun.is_heard:
        begun.end(_numbers[begun.driver](connection.driver_connection))


def refused(begun: Asking, error: BaseException) -> None:
    _leave(begun)
    if begun.is_heard:
        begun.end(None, error)


def _leave(begun: Asking) -> None:
    _under_way.pop(begun, set()).discard(begun)
