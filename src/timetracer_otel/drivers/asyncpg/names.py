"""The private names of asyncpg that taps and redirection need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from timetracer_otel.drivers.missing import MissingNames


def require(needed: Iterable[tuple[Any, str]], lost: str) -> None:
    """Raises MissingNames unless every owner has its name."""
    missing = tuple(name for owner, name in needed if not hasattr(owner, name))
    if missing:
        import asyncpg

        raise MissingNames("asyncpg", asyncpg.__version__, missing, lost)
