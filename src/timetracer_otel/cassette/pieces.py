"""Large data in pieces. One call in C keeps the interpreter to itself for as long as it takes, and an event loop waits:
between two pieces it has its turn.
"""

from __future__ import annotations

import codecs
import threading
from collections.abc import Iterator
from time import sleep, thread_time
from typing import Final, TypeVar

from timetracer_otel.config import KIB

PIECE_BYTES: Final = 256 * KIB
"""Bytes, or characters of text. A search takes a quarter of a millisecond for them."""
TURN_S: Final = 1e-3
"""Of its own time a thread works before it gives way, where it can."""
PAUSE_S: Final = 50e-6
"""As long as a system takes to wake a thread that waits for the interpreter."""

T = TypeVar("T", bytes, str)

_threads = threading.local()


def take_turns() -> None:
    """The thread that calls it gives way from now on: nobody waits for what it does."""
    _threads.began_s = thread_time()


def _give_way() -> None:
    began_s = getattr(_threads, "began_s", None)
    if began_s is not None and thread_time() - began_s >= TURN_S:
        sleep(PAUSE_S)
        _threads.began_s = thread_time()


def pieces(data: T, overlap: int = 0, size: int = PIECE_BYTES) -> Iterator[T]:
    """All of it, in order; at its end each has so much of what follows, and after each others may have their turn."""
    for start in range(0, len(data), size):
        yield data[start : start + size + overlap]
        _give_way()


def contains(data: bytes, word: bytes) -> bool:
    """`word in data`."""
    return any(word in piece for piece in pieces(data, len(word) - 1))


def count(data: bytes, word: bytes) -> int:
    """`data.count(word)` of a word that cannot overlap itself."""
    return sum(piece.count(word) for piece in pieces(data, len(word) - 1))


def is_utf8(data: bytes) -> bool:
    """Whether it can be decoded."""
    try:
        for _ in texts(data):
            pass
    except UnicodeDecodeError:
        return False
    return True


def texts(data: bytes) -> Iterator[str]:
    """The text in pieces, from UTF-8. Raises UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for piece in pieces(data):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)
