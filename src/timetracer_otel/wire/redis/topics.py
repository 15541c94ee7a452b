"""To what a connection listens: channels and patterns, the commands of all clients, keys that others change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from timetracer_otel.wire.redis.commands import pack

SUBSCRIBING: Final = {b"SUBSCRIBE": b"SUBSCRIBE", b"PSUBSCRIBE": b"PSUBSCRIBE", b"SSUBSCRIBE": b"SSUBSCRIBE"}
LEAVING: Final = {b"UNSUBSCRIBE": b"SUBSCRIBE", b"PUNSUBSCRIBE": b"PSUBSCRIBE", b"SUNSUBSCRIBE": b"SSUBSCRIBE"}
"""By the command that takes them back."""
CONFIRMED: Final = frozenset({*SUBSCRIBING, *LEAVING})
"""Commands that are answered once for each topic."""
MONITOR: Final = b"MONITOR"
TRACKING: Final = (b"CLIENT", b"TRACKING")


class Topics:
    """By what was sent, confirmed or not: so it is the same in a recording and in its replay."""

    def __init__(self) -> None:
        self._topics: set[tuple[bytes, ...]] = set()
        self._packed: bytes | None = None

    def __bool__(self) -> bool:
        return bool(self._topics)

    def clear(self) -> None:
        self._packed = None
        self._topics.clear()

    def send(self, name: bytes, arguments: Sequence[bytes]) -> int:
        """A command leaves, its name in capitals. The number of its confirmations; 0 if it has an ordinary answer."""
        self._packed = None
        if name in SUBSCRIBING:
            self._topics.update((name, each) for each in arguments)
            return len(arguments)
        if name in LEAVING:
            return self._leave(LEAVING[name], arguments)
        if name == MONITOR:
            self._topics.add((MONITOR,))
        elif name == TRACKING[0] and [each.upper() for each in arguments[:2]] == [TRACKING[1], b"ON"]:
            self._topics.add(TRACKING)
        return 0

    def _leave(self, kind: bytes, arguments: Sequence[bytes]) -> int:
        named: set[tuple[bytes, ...]] = {(kind, each) for each in arguments}
        left = named or {each for each in self._topics if each[0] == kind}
        self._topics -= left
        return len(arguments) or max(len(left), 1)

    def listened(self) -> list[list[bytes]]:
        """What makes them, as commands: `SUBSCRIBE news`; the same for the same topics."""
        found: dict[bytes, list[bytes]] = {}
        for kind, *topic in sorted(self._topics):
            found.setdefault(kind, []).extend(topic)
        return [[kind, *topics] for kind, topics in found.items()]

    def packed(self) -> bytes:
        """`listened` as it is sent: the same bytes for every message, until the topics change."""
        if self._packed is None:
            self._packed = pack(self.listened())
        return self._packed
