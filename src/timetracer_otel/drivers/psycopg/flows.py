"""What comes or goes piece by piece: COPY, and the rows of `stream()`. Bounded, one by one and together."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.config import MIB

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured

FLOW_MAX: Final = 16 * MIB
"""Bytes of one; of a larger one nothing is kept but its size."""
OPEN_MAX: Final = 32 * MIB
"""Bytes of all that are under way in this process; afterwards they count among the recorder's payloads in flight."""
PIECE_BYTES: Final = 64
"""What a piece costs beside its content."""


class _Open:
    """Bytes that open flows hold together."""

    def __init__(self) -> None:
        self.held = 0
        # Re-entrant: the garbage collector may end a flow, which gives back, while this thread holds it.
        self.lock = threading.RLock()

    def take(self, size: int) -> bool:
        with self.lock:
            if self.held + size > OPEN_MAX:
                return False
            self.held += size
        return True

    def give(self, size: int) -> None:
        with self.lock:
            self.held -= size


_open = _Open()


def _after_fork() -> None:
    """A forked child holds nothing; what it has inherited gives back to the old count, with a lock that is free."""
    global _open
    _open.lock = threading.RLock()
    _open = _Open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Flow:
    """One exchange whose pieces pass one by one."""

    __slots__ = ("_held", "_open", "captured", "is_copy_in", "is_cut", "is_stream", "pieces", "size", "start")

    def __init__(
        self, captured: Captured, start: Any = None, is_copy_in: bool = False, is_stream: bool = False
    ) -> None:
        self._open, self._held = _open, 0
        self.captured, self.is_copy_in, self.is_stream = captured, is_copy_in, is_stream
        self.start = start
        """The PGresult that says what the pieces are; of a stream the first row."""
        self.pieces: list[Any] = []
        self.size = 0
        """Bytes that passed, kept or not."""
        self.is_cut = False

    def add(self, piece: Any, size: int) -> None:
        self.size += size
        cost = size + PIECE_BYTES
        if self.is_cut:
            return
        if self._held + cost > FLOW_MAX or not self._open.take(cost):
            self.cut()
            return
        self._held += cost
        self.pieces.append(piece)

    def cut(self) -> None:
        """Half of it is never kept."""
        self.is_cut = True
        self.pieces = []
        self.release()

    def release(self) -> None:
        """It is over: whoever keeps the pieces now counts them."""
        held, self._held = self._held, 0
        if held:
            self._open.give(held)

    def __del__(self) -> None:
        self.release()
