"""What a tap writes to: an exchange in memory, holding references to raw payloads, and the tape that takes it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from timetracer_otel.capture.segments import SegmentState
    from timetracer_otel.cassette.model import Acquire, Blob, Payload


class Captured:
    """One exchange while it lives: opened when the request is sent, closed when its answer ended.

    `request` and `result` are whatever the driver's codec understands: references to the driver's own immutable
    objects, never decoded here. Not a dataclass: two are made per database call, on the hot path.
    """

    __slots__ = (
        "closed_ns",
        "coded",
        "complete",
        "connection",
        "driver",
        "dropped",
        "held",
        "is_entry",
        "is_forgotten",
        "is_written",
        "number",
        "opened_ns",
        "request",
        "result",
        "rev",
        "segment",
        "size",
        "span_id",
        "told",
        "transaction",
    )

    def __init__(
        self,
        driver: str,
        request: object,
        connection: int | None = None,
        transaction: int | None = None,
        is_entry: bool = False,
    ) -> None:
        self.driver = driver
        self.request = request
        self.result: object = None
        self.connection = connection
        self.transaction = transaction
        self.is_entry = is_entry
        self.opened_ns = time.time_ns()
        self.closed_ns = 0
        self.complete = False
        self.dropped: str | None = None
        """Why the payload is not here: `limit`, `trace`, `in_flight`."""
        self.is_forgotten = False
        """Its segment is not kept: nobody wants its answer."""
        self.is_written = False
        """Its part has gone to the writer; a later close makes a new revision."""
        self.number = 0
        self.rev = 0
        self.size = 0
        """Bytes, as the tap estimates them."""
        self.held = 0
        """Those of them that are in memory and count against the limits."""
        self.told = 0
        """The size with which it was closed last."""
        self.span_id: int | None = None
        self.segment: SegmentState | None = None
        self.coded: tuple[int, object] | None = None
        """The writer's own: what it made of this revision, for the part that comes after the spool."""

    def press(self) -> None:
        """What its segment holds becomes a part with the next answer, however long its root stays open."""
        if self.segment is not None:
            self.segment.is_pressing = True


_NUMBER: Final = attrgetter("number")


def take_out(exchanges: list[Captured], captured: Captured) -> bool:
    """False if it is not among them. They stand by their numbers, but for those that came back for another revision."""
    place = bisect_left(exchanges, captured.number, key=_NUMBER)
    if place < len(exchanges) and exchanges[place] is captured:
        del exchanges[place]
        return True
    is_there = captured in exchanges
    if is_there:
        exchanges.remove(captured)
    return is_there


class Spill(Protocol):
    """A payload that goes to disk while it is still being heard: memory holds what the writer has not taken yet.

    Its methods return at once, also on an event loop. What they do is guarded; they never raise.
    """

    def write(self, chunk: bytes) -> None:
        """`chunk` is on its way; the function that `Tape.spill` was given is told when it has left memory."""

    def end(self) -> None:
        """There is no further chunk. Comes before the `Tape.close` of the exchange that refers to it."""

    def discard(self) -> None:
        """Nothing of it is wanted any more."""

    def blobs(self) -> Sequence[Blob] | None:
        """For the codec, after `end`: where each chunk lies, in order; None when it could not be stored (`reason`)."""

    @property
    def reason(self) -> str | None:
        """Why `blobs` is None, as `Captured.dropped` names it."""


class Tape(Protocol):
    """Where taps put exchanges: the `Recorder`, or in replay a list in memory. May raise: callers are guarded."""

    def listens(self) -> bool:
        """False where `open` would give None whatever the request: a tap asks before it takes the request apart."""

    def segment(self) -> int:
        """The span id of the local root under which `open` would put an exchange now; 0 where there is none."""

    def open(
        self,
        driver: str,
        request: object,
        connection: int | None = None,
        transaction: int | None = None,
        is_entry: bool = False,
    ) -> Captured | None:
        """An exchange owned by the current span; None when nothing is to be captured here (not recording, suppressed).

        `is_entry`: the request or task that this process was asked for, which a replay runs again."""

    def close(
        self, captured: Captured, result: object, size: int, complete: bool = True, dropped: str | None = None
    ) -> None:
        """The answer has ended; `size` in bytes of request and result together. A second close of one exchange (what
        came after the end, such as a disconnect) makes a new revision of it. `dropped`: why the tap does not record
        this answer; the exchange stays and says so."""

    def grown(self, captured: Captured, size: int) -> None:
        """More has come of an answer that was closed before. It counts against the limits (`Captured.dropped` may be
        set then); it is closed again only if it has doubled, for each revision and each line of a spool repeats all of
        it. Whoever calls this closes it in the end."""

    def discard(self, captured: Captured) -> None:
        """The request never reached the server, or was skipped by it: there is no exchange."""

    def spill(self, captured: Captured, released: Callable[[int], None]) -> Spill | None:
        """A way to disk for the chunks of one large payload of an open exchange; None where all stays in memory.

        Its request is looked at before the first chunk is written: secrets that stand in it are masked in the chunks.
        `released` is called, in any thread, with the size of each chunk that has left memory.
        """

    def prepare(self) -> None:
        """What the first write needs is made now, while nobody waits: it takes some tenths of a second, which each
        child that is forked afterwards has for nothing. In the background on an event loop."""

    def entry_began(self) -> None:
        """A request or task begins, sampled or not: what comes later is no longer the process's environment."""

    def connected(self, number: int, driver: str, target: str, parameters: Payload, has_changed: bool = False) -> None:
        """What the process learnt when a connection was made, or has learnt since. `parameters` is plain data
        (cassette.values). `has_changed`: what it had learnt is no longer so, and segments that begin to use it from now
        on find the new."""

    def acquired(self, acquire: Acquire) -> None:
        """A pool was asked for a connection under the current span; here its `at_ns` counts from 1970."""


hushed: Final[ContextVar[bool]] = ContextVar("timetracer_hushed", default=False)
"""True while a library asks servers for itself, such as its broker, and its own driver records what that was for."""

_tape: Tape | None = None


def _no() -> bool:
    return False


is_heard: Callable[[], bool] = _no
"""`listens` of the active tape; false while recording is off. Looked up here for each question, for it changes."""


def tape() -> Tape | None:
    """The active tape; None while recording is off."""
    return _tape


def activate(new: Tape | None) -> None:
    global _tape, is_heard
    _tape, is_heard = new, _no if new is None else new.listens
