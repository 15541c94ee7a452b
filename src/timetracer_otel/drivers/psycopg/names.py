"""Where psycopg keeps the private names that the taps need: from 3.1 to 3.3 modules have moved, names have not."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

from timetracer_otel.drivers.missing import MissingNames

ABSENT: Final = object()


def base(cls: type, name: str) -> Any:
    """The ancestor of that name; ABSENT if there is none."""
    return next((ancestor for ancestor in cls.__mro__ if ancestor.__name__ == name), ABSENT)


def module_of(cls: Any) -> Any:
    return sys.modules.get(cls.__module__, ABSENT) if cls is not ABSENT else ABSENT


def module_defining(cls: type) -> Any:
    """The module that a public class stands in, which itself says that it is of the package; ABSENT if unknown."""
    made = getattr(vars(cls).get("__init__"), "__globals__", {})
    return sys.modules.get(made.get("__name__", ""), ABSENT)


def require(needed: Iterable[tuple[Any, str]], lost: str) -> None:
    """Raises MissingNames unless every owner has its name."""
    missing = tuple(name for owner, name in needed if owner is ABSENT or name not in vars(owner))
    if missing:
        import psycopg

        raise MissingNames("psycopg", psycopg.__version__, missing, lost)
