"""What happens in a replaying process, event by event, so that a process that crashes still leaves a report.

Events cross a pipe in frames of at most PIPE_BUF bytes, which the kernel never mixes: a forked child may write to the
same pipe. A frame is process id, length, whether it is the event's last, and a piece of its JSON.
"""

from __future__ import annotations

import json
import os
import select
import stat
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final, Literal, Protocol, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "ambiguous",  # recorded order decided: exchange
    "comparison",  # differences, ignored
    "done",  # the process reached its end
    "entered",  # start-up is over, the entry begins
    "error",  # the replay cannot start: where, problem, advice
    "incomplete",  # a recording that was needed and is not whole: exchange, reason
    "mapping",  # kind, recorded, replayed
    "miss",  # request, frame, span, nearest, differences, note, consequent
    "outcome",  # recorded, replayed, traceback
    "redacted",  # an answer that holds markers: exchange, path
    "refused",  # the network guard said no: target, what, frame, span, library, in_entry
    "span",  # a span that ended
    "take",  # an exchange answered
    "uncontrolled",  # what this replay does not control: text
]
KINDS: Final = frozenset(get_args(Kind))
Event: TypeAlias = Mapping[str, Any]
"""`{"event": Kind, ...}`: JSON data; payload values are in `cassette.values` form."""

FRAME: Final = struct.Struct("!IHB")
FRAME_MAX: Final = getattr(select, "PIPE_BUF", 512)  # bytes that one write never mixes with another's
EVENT_MAX: Final = 64 * 1024 * 1024
VARIABLE: Final = "TIMETRACER_JOURNAL"


class Journal(Protocol):
    def write(self, event: Kind, /, **fields: Any) -> None:
        """Adds one event; never raises into the app."""


class MemoryJournal:
    """Keeps the events: for the environment form without a runner, and for tests."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, event: Kind, /, **fields: Any) -> None:
        self.events.append({"event": event, **fields})

    def of(self, kind: Kind) -> list[Event]:
        return [event for event in self.events if event["event"] == kind]


class PipeJournal:
    """Writes to the runner. Once the runner is gone nobody listens: the app goes on all the same."""

    def __init__(self, fd: int) -> None:
        self._fd, self._lock = fd, threading.Lock()
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def write(self, event: Kind, /, **fields: Any) -> None:
        data = json.dumps({"event": event, **fields}).encode()
        with self._lock:  # frames of one process must not interleave; the runner always reads, so this never waits long
            for frame in frames(os.getpid(), data):
                try:
                    os.write(self._fd, frame)
                except OSError:
                    return


def frames(process: int, data: bytes) -> Iterator[bytes]:
    """The pieces of one event, each written by one call."""
    room = FRAME_MAX - FRAME.size
    for start in range(0, len(data), room):
        piece = data[start : start + room]
        yield FRAME.pack(process, len(piece), start + room >= len(data)) + piece


def read(stream: BinaryIO) -> Iterator[Event]:
    """Events in the order of their ends; what was cut by a crash is left out."""
    pieces: dict[int, bytearray] = defaultdict(bytearray)
    while len(header := stream.read(FRAME.size)) == FRAME.size:
        process, length, is_last = FRAME.unpack(header)
        pieces[process] += stream.read(length)
        if is_last:
            if (event := _event(bytes(pieces.pop(process)))) is not None:
                yield event
        elif len(pieces[process]) > EVENT_MAX:
            del pieces[process]


def _event(data: bytes) -> Event | None:
    try:
        event = json.loads(data)
    except ValueError:  # the app wrote into the descriptor
        return None
    return event if isinstance(event, dict) and event.get("event") in KINDS else None


def name_of(fd: int) -> str:
    """How a child finds the pipe: number and inode, since the number alone may be another file by then."""
    return f"{fd}:{os.fstat(fd).st_ino}"


def open_named(name: str | None) -> PipeJournal | None:
    """The journal that the runner holds the other end of; None without a runner (the environment form)."""
    if not name:
        return None
    fd, _, inode = name.partition(":")
    try:
        found = os.fstat(int(fd))
    except (OSError, ValueError):
        return None
    return PipeJournal(int(fd)) if stat.S_ISFIFO(found.st_mode) and str(found.st_ino) == inode else None
