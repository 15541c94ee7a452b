"""Large data in pieces. One call in C keeps the interpreter to itself for as long as it takes, and an event loop waits:
between two pieces it has its turn. Other processes have theirs as well, where there are more than processors.
"""

from __future__ import annotations

import codecs
import os
import threading
from collections.abc import Callable, Iterator
from time import perf_counter, sleep
from typing import Final, TypeVar

from timetracer_otel.config import KIB

PIECE_BYTES: Final = 256 * KIB
"""Bytes, or characters of text. A search takes a quarter of a millisecond for them."""
SMALL_PIECE_BYTES: Final = 32 * KIB
"""The same for a thread that takes turns: whoever waits is to wait for one call on so many."""
TURN_S: Final = 0.5e-3
"""A thread works so long before it gives way, where it can."""
PIECE_TURN_S: Final = 50e-6
"""The same amid large data: an event loop that receives as much lets the thread in at each `recv`."""
PAUSE_S: Final = 50e-6
"""As long as a system takes to wake a thread that waits for the interpreter."""

LONG_YIELD_S: Final = 1e-3
"""Who was let in before us and took so long has much to do: then we keep the processor for some time."""
YIELD_SHARE: Final = 100
"""That is so many times as long."""

T = TypeVar("T", bytes, str)

_threads = threading.local()
_next_yield_s = 0.0
_yield: Final[Callable[[], object]] = getattr(os, "sched_yield", lambda: None)


def take_turn() -> None:
    """The thread that calls it begins its turn, and gives way from now on: nobody waits for what it does."""
    _threads.began_s = perf_counter()


def give_way(turn_s: float = TURN_S) -> None:
    """Others have their turn: those that wait for the interpreter, if this thread takes turns and its own is over; else
    those that wait for the processor.

    A process that was woken waits until a slice of ours ends, which may be milliseconds, for what it does in a few
    microseconds: a broker on the same machine, from which a worker waits for its next task.
    """
    global _next_yield_s
    now_s, began_s = perf_counter(), getattr(_threads, "began_s", None)
    if began_s is not None:
        if now_s - began_s >= turn_s:
            _pause()
            _threads.began_s = perf_counter()
    elif now_s >= _next_yield_s:
        _yield()
        took_s = perf_counter() - now_s
        if took_s >= LONG_YIELD_S:
            _next_yield_s = now_s + YIELD_SHARE * took_s


def is_large(size: int) -> bool:
    """Whether data of so many bytes is handled in pieces."""
    return size > SMALL_PIECE_BYTES and size > _piece_bytes()


def _piece_bytes() -> int:
    return SMALL_PIECE_BYTES if hasattr(_threads, "began_s") else PIECE_BYTES


def _pause() -> None:
    try:
        sleep(PAUSE_S)
    except OSError:  # libfaketime has set the clock to before its beginning: the system knows no time to wake at
        return


def pieces(data: T, overlap: int = 0, size: int = 0, multiple_of: int = 1) -> Iterator[T]:
    """All of it, in order; at its end each has so much of what follows, and after each others may have their turn."""
    size = size or _piece_bytes()
    size -= size % multiple_of
    for start in _starts(0, len(data), size):
        yield data[start : start + size + overlap]


def _starts(start: int, end: int, size: int) -> Iterator[int]:
    for at in range(start, end, size):
        yield at
        give_way(PIECE_TURN_S)


def cut(data: bytes, start: int, end: int) -> bytes:
    """`data[start:end]`. A large copy is made of small ones, which `join` puts together without the interpreter."""
    if not is_large(end - start):
        return data[start:end]
    size = _piece_bytes()
    return b"".join(data[at : min(at + size, end)] for at in _starts(start, end, size))


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
