"""Where psycopg keeps the private names that the taps need: from 3.1 to 3.3 modules have moved, names have not."""

from __future__ import annotations

import sys
from typing import Any, Final

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
