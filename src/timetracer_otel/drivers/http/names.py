"""Names of this driver, and how it tells that a client lacks those that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from timetracer_otel.drivers.missing import MissingNames

LIBRARY: Final = "http"
CALL: Final = "http.client"
"""Type of an exchange that is a request."""
CONNECT: Final = "net.connect"
"""Type of one that is a connection which was not made."""
PORTS: Final = {"http": 80, "https": 443}


def require(client: str, needed: Iterable[tuple[Any, str]], lost: str) -> None:
    """Raises MissingNames unless every owner has its name. `client`: its module."""
    missing = tuple(f"{owner.__name__}.{name}" for owner, name in needed if not hasattr(owner, name))
    if missing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version(client)
        except PackageNotFoundError:
            found = "of this Python"
        raise MissingNames(client, found, missing, lost)
