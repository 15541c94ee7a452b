"""The drawn values that stand for recorded ones already, and which of them are parts of others."""

from __future__ import annotations

import threading


class Standing:
    """Pairs, recorded and drawn: one for a replay, whose start-up and entry ask side by side. A bulk of thousands is
    looked through for each new one: see `_Side`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pairs: dict[str, str] = {}
        self._recorded, self._drawn = _Side(), _Side()

    def add(self, was: str, now: str) -> None:
        with self._lock:
            self._pairs[was] = now
            self._recorded.add(was)
            self._drawn.add(now)

    def kin(self, was: str, now: str) -> list[tuple[str, str]]:
        """What is known already of the two, of a part of either, or of more."""
        with self._lock:
            if self._pairs.get(was) == now:
                return [(was, now)]
            if not (self._recorded.shares(was) or self._drawn.shares(now)):
                return []
            return [each for each in self._pairs.items() if _share(was, each[0]) or _share(now, each[1])]


class _Side:
    """Of many texts: whether any is a part of another one, or has it as a part, in few steps of C."""

    def __init__(self) -> None:
        self._texts, self._lengths, self._joined = set[str](), set[int](), ""

    def add(self, text: str) -> None:
        if text not in self._texts:
            self._texts.add(text)
            self._lengths.add(len(text))
            self._joined += f"{text}\n"

    def shares(self, text: str) -> bool:
        if text in self._joined:
            return True
        return any(text[at : at + n] in self._texts for n in self._lengths for at in range(len(text) - n + 1))


def _share(one: str, other: str) -> bool:
    return one in other or other in one
