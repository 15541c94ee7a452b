"""One dependency that a replay lets through to the network, as `--live LIB` asks for; each target is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from types import FrameType
from typing import Final

VARIABLE: Final = "TIMETRACER_LIVE"
DEPTH_MAX: Final = 500


class Live:
    """Judges by who calls: a call that comes out of one of these packages may pass."""

    def __init__(self, libraries: Collection[str], told: Callable[[str], None] = lambda text: None) -> None:
        """`told` hears of each target once, as `redis: connect 10.0.0.7:6379`."""
        self._libraries, self._told = frozenset(libraries), told
        self._known: set[str] = set()
        self._hosts: set[str] = set()

    def lets(self, what: str, target: str) -> bool:
        """True for a call of such a package, and for the look-up of a name that one has asked an event loop for."""
        if not self._libraries:
            return False
        library = self._caller()
        if not library:
            return what == "resolve" and target in self._hosts
        if what == "resolve":
            self._hosts.add(target)
        if (call := f"live: {library}: {what} {target}") not in self._known:
            self._known.add(call)
            self._told(call)
        return True

    def _caller(self) -> str:
        frame: FrameType | None = sys._getframe(2)
        for _ in range(DEPTH_MAX):
            if frame is None:
                break
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if package in self._libraries:
                return package
            frame = frame.f_back
        return ""


def named(value: str) -> tuple[str, ...]:
    """Of the variable: names with commas between them."""
    return tuple(filter(None, map(str.strip, value.split(","))))
