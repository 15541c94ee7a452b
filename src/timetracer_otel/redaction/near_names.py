"""An expression that begins with a secret name, tried only where one of the names can begin.

As one search it would try all names at each letter, which takes ten times as long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from timetracer_otel.redaction.markers import Mark
from timetracer_otel.redaction.names import Names

_STARTS: Final = re.compile(rb"(?<![A-Za-z0-9_])[A-Za-z]|(?<=\\[nrt])[A-Za-z]")


class NearNames:
    """A shape (`shapes.Shape`)."""

    by_name = True

    def __init__(
        self,
        names: Names,
        needs: tuple[bytes, ...],
        pattern: re.Pattern[bytes],
        masked: Callable[[re.Match[bytes], Mark], bytes],
    ) -> None:
        """`pattern` must begin where a name does, after something that is no part of a word."""
        self.needs = needs
        self._pattern, self._masked = pattern, masked
        words = dict.fromkeys(max(name.split("_"), key=len) for name in names.all)
        shortest = [word for word in words if not any(other in word and other != word for other in words)]
        self._words = re.compile("|".join(map(re.escape, shortest)).encode() or rb"(?!)")
        self._reach = max((len(name) + name.count("_") for name in names.all), default=0)

    def apply(self, data: bytes, mark: Mark) -> bytes:
        """`data` with its hits masked."""
        pieces, end = list[bytes](), 0
        for start in self._starts(data):
            found = self._pattern.match(data, start) if start >= end else None
            if found is not None:
                pieces += [data[end : found.start()], self._masked(found, mark)]
                end = found.end()
        return b"".join([*pieces, data[end:]]) if pieces else data

    def _starts(self, data: bytes) -> Iterator[int]:
        """In order, where a name may begin: not further before a word of one than the longest name is long."""
        last = -1
        for word in self._words.finditer(data.lower()):
            for start in _STARTS.finditer(data, max(last + 1, word.start() - self._reach), word.start() + 1):
                last = start.start()
                yield last
