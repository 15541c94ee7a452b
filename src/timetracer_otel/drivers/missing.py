"""What a driver raises when the installed library is not the one it knows. Not in `base`: every start pays for it."""

from __future__ import annotations

import sys
from collections.abc import Iterable


class MissingNames(Exception):
    """The installed driver lacks names a tap needs: the tap stays off, with one warning."""

    def __init__(self, driver: str, version: str, names: tuple[str, ...], lost: str) -> None:
        super().__init__(driver, version, names, lost)
        self.driver, self.version, self.names, self.lost = driver, version, names, lost

    def __str__(self) -> str:
        return f"{self.driver} {self.version} has no {', '.join(self.names)}: {self.lost}; report it to timetracer-otel"


def require(library: str, needed: Iterable[tuple[object, str]], lost: str, own: bool = False) -> None:
    """Raises MissingNames unless every owner has its name; `own`: in itself, whatever it inherits."""
    missing = tuple(_path(owner, name) for owner, name in needed if not _has(owner, name, own))
    if missing:
        raise MissingNames(library, _version_of(library), missing, lost)


def _has(owner: object, name: str, own: bool) -> bool:
    return name in getattr(owner, "__dict__", ()) if own else hasattr(owner, name)


def _path(owner: object, name: str) -> str:
    return f"{owner.__name__}.{name}" if isinstance(owner, type) else name


def _version_of(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return "of this Python" if library.partition(".")[0] in sys.stdlib_module_names else "(of unknown version)"
