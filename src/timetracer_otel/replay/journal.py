"""What happens in a replaying process, event by event, so that a process that crashes still leaves a report.

Events cross a named pipe, which children of the app find as well as the app, in frames of at most PIPE_BUF bytes, which
the kernel never mixes. A frame is process id, length, whether it is the last of its event, and a piece of its JSON.
"""

from __future__ import annotations

import json
import os
import select
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, Protocol, TypeAlias, get_args

from timetracer_otel.errors import ReplayError, TimetracerError

if TYPE_CHECKING:  # with redaction, which a report without a miss has no need of
    from timetracer_otel.replay.veil import Veil

Kind: TypeAlias = Literal[
    "ambiguous",  # recorded order decided: exchange
    "chance",  # the app drew what no recording holds: text
    "debugging",  # somebody looks around in the app, and no time passes: is_open
    "comparison",  # differences, ignored
    "done",  # a process reached its end: process, added (variables that it gave itself)
    "earlier",  # an exchange of an earlier request answered: session, text
    "entered",  # start-up is over, the entry begins
    "error",  # the replay cannot start: where, problem, advice
    "incomplete",  # a recording that was needed and is not whole: exchange, reason
    "mapping",  # kind, recorded, replayed
    "masked",  # a secret of the entry that was not supplied: text
    "miss",  # request, frame, span, nearest, differences, note, consequent
    "outcome",  # recorded, replayed, traceback
    "redacted",  # an answer that holds markers: exchange, path
    "refused",  # the network guard said no: target, what, frame, span, library, in_entry
    "started",  # a process replays from now on: process
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


def error_json(error: TimetracerError) -> dict[str, str]:
    """The fields of the journal's `error` event."""
    if isinstance(error, ReplayError):
        return {"where": error.where, "problem": error.problem, "advice": error.advice}
    message = str(error) if ": " in str(error) else f"replay: {error}"
    where, _, rest = message.partition(": ")
    problem, _, advice = rest.rpartition("; ")
    return {"where": where, "problem": problem or rest, "advice": advice or "see the documentation"}


class Journal(Protocol):
    def write(self, event: Kind, /, **fields: Any) -> None:
        """Adds one event; never raises into the app."""


class MemoryJournal:
    """Keeps the events: for the environment form without a runner, and for tests."""

    def __init__(self, keeps_spans: bool = True) -> None:
        """`keeps_spans`: False where nobody will export them, and a server would gather them for ever."""
        self.events: list[Event] = []
        self._keeps_spans = keeps_spans

    def write(self, event: Kind, /, **fields: Any) -> None:
        if event != "span" or self._keeps_spans:
            self.events.append({"event": event, **fields})

    def of(self, kind: Kind) -> list[Event]:
        return [event for event in self.events if event["event"] == kind]


class PipeJournal:
    """Writes to the runner. Once the runner is gone nobody listens: the app goes on all the same."""

    def __init__(self, path: str) -> None:
        """Raises OSError when there is no such pipe, or nobody reads from it."""
        self._path, self._lock = path, threading.Lock()
        self.veil: Veil | None = None
        """What lies over the events from now on."""
        self._open()
        os.register_at_fork(after_in_child=self._after_fork)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)  # without a reader it fails, instead of waiting
        os.set_blocking(self._fd, True)
        self._file = _identity(self._fd)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def write(self, event: Kind, /, **fields: Any) -> None:
        told: Event = {"event": event, **fields}
        data = json.dumps(told if self.veil is None else self.veil.over(told)).encode()
        with self._lock:  # frames of one process must not interleave; the runner always reads, so this never waits long
            try:
                self._reopen_if_closed()
                for frame in frames(os.getpid(), data):
                    os.write(self._fd, frame)
            except OSError:
                return

    def _reopen_if_closed(self) -> None:
        """An app that makes itself a daemon closes what it does not know; the number may be another file by now."""
        try:
            is_ours = _identity(self._fd) == self._file
        except OSError:
            is_ours = False
        if not is_ours:
            self._open()


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


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


def open_named(path: str | None) -> PipeJournal | None:
    """The journal that a runner reads; None without one (the environment form, or the runner has gone)."""
    if not path:
        return None
    try:
        return PipeJournal(path)
    except OSError:
        return None


class Reader:
    """The runner's end. Events come in by a thread of their own, so that no writer ever waits."""

    def __init__(self, path: str) -> None:
        """Makes the pipe. Raises OSError."""
        os.mkfifo(path, 0o600)
        self.path = path
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._holding = os.open(path, os.O_WRONLY)  # the end of the stream comes when we let go, not before
        os.set_blocking(reading, True)
        self._events: list[Event] = []
        self._debugging = 0
        # The thread owns the stream: closing it here while a read is under way would wait for that read.
        self._thread = threading.Thread(target=self._read, args=(reading,), name="timetracer-journal", daemon=True)
        self._thread.start()

    def _read(self, descriptor: int) -> None:
        with open(descriptor, "rb") as stream:
            for event in read(stream):
                if event["event"] == "debugging":
                    self._debugging += 1 if event["is_open"] else -1
                self._events.append(event)

    @property
    def is_debugging(self) -> bool:
        """True while somebody looks around in the app."""
        return self._debugging > 0

    def finish(self, timeout_s: float) -> list[Event]:
        """All events; those of processes that outlive the timeout only as far as they have come."""
        os.close(self._holding)
        self._thread.join(timeout_s)
        return list(self._events)
