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
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from timetracer_otel.drivers.base import Question, Slot

MARKS: Final = slice(4, 9)
COUNTS: Final = slice(9, 12)
INSERTING: Final = frozenset({"insert", "bulkWrite", "update", "findAndModify"})
INSERTED: Final = ("]._id", "].document._id", ".$setOnInsert._id")
"""Where the id of a new document stands: of an update, only where it says that it makes one."""


class ObjectIds:
    """Of one session."""

    def __init__(self, recorded: Sequence[Question], given: set[bytes]) -> None:
        """`given`: to which all sessions of the process add what they give."""
        made = _made(recorded)
        self.marks = frozenset(bytes.fromhex(slot.made)[MARKS] for each in recorded for slot in each.slots if slot.made)
        """Of the recorded processes."""
        self._any_mark = re.compile(b"|".join(map(re.escape, self.marks)) or rb"(?!)", re.DOTALL)
        self._next, self._waiting, self._given = deque(made), set(made), given
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
            while self._next:
                if (found := self._next.popleft()) in self._waiting:
                    self._waiting.remove(found)
                    self._given.add(found)
                    return found
        return None

    def as_known(self, asked: Question) -> Question:
        """With those ids marked that a recorded process made and nobody was given in this run: they came from
        elsewhere, and stand for themselves."""
        if not any(slot.made for slot in asked.slots):
            return asked
        return replace(asked, slots=tuple(self._as_known(slot) for slot in asked.slots))

    def _as_known(self, slot: Slot) -> Slot:
        made = bytes.fromhex(slot.made or "")
        return replace(slot, is_known=True) if made[MARKS] in self.marks and made not in self._given else slot

    def met(self, command: bytes) -> None:
        """Ids in a command that were not given yet are the application's from elsewhere, and will not be given."""
        for mark in self._any_mark.finditer(command) if self._waiting else ():
            start = mark.start() - MARKS.start
            with self._lock:
                self._waiting.discard(command[max(start, 0) : start + COUNTS.stop])

    def bind(self, recorded: Question, asked: Question) -> None:
        """The two were found to be the same request: their ids stand for each other."""
        with self._lock:
            for was, now in zip(recorded.slots, asked.slots, strict=False):
                if was.made and now.made and was.made != now.made:
                    self._there[bytes.fromhex(was.made)] = bytes.fromhex(now.made)

    def renamed(self, reply: bytes) -> bytes:
        """A recorded reply with the ids of this run, in binary and in hex: the lengths stay."""
        if not self._there:
            return reply
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


def _made(recorded: Sequence[Question]) -> list[bytes]:
    """The ids that were made while these were asked, in their order.

    A process knows ids that it made before, for other requests: they count less than those of the documents that it
    inserts. What is left out here is renamed, if it was made after all.
    """
    slots = [
        (each.method, slot.path, bytes.fromhex(slot.made)) for each in recorded for slot in each.slots if slot.made
    ]
    inserted = [made for method, path, made in slots if method in INSERTING and path.endswith(INSERTED)]
    first: dict[bytes, bytes] = {}
    for each in inserted:
        first[each[MARKS]] = min(first.get(each[MARKS], each[COUNTS]), each[COUNTS])
    later = {made for _, _, made in slots if made[MARKS] in first and made[COUNTS] >= first[made[MARKS]]}
    return sorted(later, key=lambda each: (each[MARKS], each[COUNTS]))


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
