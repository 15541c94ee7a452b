"""Attributes of a driver that were replaced."""

from __future__ import annotations

from typing import Any


class Patches:
    """Attributes replaced in an owner (class or module), each put back by `undo`."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._done)

    def put(self, owner: Any, name: str, new: Any) -> None:
        self._done.append((owner, name, vars(owner)[name]))
        setattr(owner, name, new)

    def undo(self) -> None:
        while self._done:
            setattr(*self._done.pop())
