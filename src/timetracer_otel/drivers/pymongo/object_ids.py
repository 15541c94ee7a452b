"""ObjectIds that the driver makes: given back in recorded order, and where that fails, renamed one to one.

Bytes 4 to 9 of an ObjectId mark the process that made it, the last three count: what a recorded process made is known
from what it sent, and nothing listens while it records.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from timetracer_otel.drivers.base import Question

MARKS: Final = slice(4, 9)
COUNTS: Final = slice(9, 12)


class ObjectIds:
    """Of one session."""

    def __init__(self, recorded: Iterable[Question]) -> None:
        made = {bytes.fromhex(slot.made) for each in recorded for slot in each.slots if slot.made}
        self.marks = frozenset(each[MARKS] for each in made)
        """Of the recorded processes."""
        self._next = deque(sorted(made, key=lambda each: (each[MARKS], each[COUNTS])))
        self._there: dict[bytes, bytes] = {}
        self._lock = threading.Lock()
        self._process = os.getpid()

    def next(self) -> bytes | None:
        """The next recorded id; None when all are given.

        None in a forked process too: its brothers hold the same list, and would give the same ids to others.
        """
        if os.getpid() != self._process:
            return None
        with self._lock:
            return self._next.popleft() if self._next else None

    def bind(self, recorded: Question, asked: Question) -> None:
        """The two were found to be the same request: their ids stand for each other."""
        with self._lock:
            for was, now in zip(recorded.slots, asked.slots, strict=False):
                if was.made and now.made and was.made != now.made:
                    self._there[bytes.fromhex(was.made)] = bytes.fromhex(now.made)

    def renamed(self, reply: bytes) -> bytes:
        """A recorded reply with the ids of this run, in binary and in hex: the lengths stay."""
        with self._lock:
            pairs = [
                *self._there.items(),
                *((was.hex().encode(), now.hex().encode()) for was, now in self._there.items()),
            ]
        there = {was: now for was, now in pairs if was in reply}
        if not there:
            return reply
        # In one pass, so that ids can change places.
        return re.sub(b"|".join(map(re.escape, there)), lambda found: there[found[0]], reply)


def seeding(original: Callable[..., None], ids_of: Callable[[], ObjectIds | None]) -> Callable[..., None]:
    """`ObjectId.__init__` that gives the recorded ids of the calling context's session, while they last."""

    @functools.wraps(original)
    def __init__(self: Any, oid: Any = None) -> None:
        if oid is None and not _is_drivers_own():
            ids = ids_of()
            oid = ids.next() if ids is not None else None
        original(self, oid)

    return __init__


def _is_drivers_own() -> bool:
    """A client gives its topology an id, outside of every request."""
    module = str(sys._getframe(2).f_globals.get("__name__", ""))
    return module.startswith("pymongo.") and "settings" in module
