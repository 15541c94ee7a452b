"""The chunks of one direction of a request: in memory while they are few, then on disk, and bounded everywhere."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.config import KIB, MIB
from timetracer_otel.drivers.asgi import lending
from timetracer_otel.drivers.asgi.spilled import NOT_STORED, Spilled, spilled_to

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured, Tape
    from timetracer_otel.cassette.model import Blob

CHUNK_OVERHEAD: Final = 128
"""Bytes that a chunk costs beyond its content: a million chunks of one byte are not one megabyte."""
CHUNKS_MAX: Final = 20_000
"""Chunks of which the borders are kept; what comes after them is kept in pieces of `MERGED_BYTES`."""
MERGED_BYTES: Final = 64 * KIB
MEMORY_MAX: Final = MIB
"""Of a body in memory, where there is a way to disk."""
STRUCTURED_MAX: Final = 16 * MIB
"""Of a body that is redacted as a whole, and so cannot go to disk piece by piece."""

_BEGINS_AS_JSON: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[]")
_CODING: Final = b"content-encoding"
_WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
JSON_LOOK_BYTES: Final = KIB


class Body:
    """The chunks of one direction with their times. Beyond `max_bytes` all are let go: half a body is never kept."""

    __slots__ = (
        "_budget",
        "_cost",
        "_lent",
        "_max_bytes",
        "_tail",
        "_watched_from",
        "chunks",
        "dropped",
        "ended",
        "headers",
        "heard",
        "is_large",
        "size",
        "spilled",
        "started_ns",
    )

    def __init__(self, started_ns: int, max_bytes: int, headers: Sequence[Any] = ()) -> None:
        self.started_ns = started_ns
        self.headers = headers
        """Of the message: what kind of a body it is. Any: they are as the app or the server gave them."""
        self._max_bytes, self._budget = max_bytes, lending.budget
        self._watched_from = MEMORY_MAX
        self.chunks: list[tuple[int, bytes]] = []
        self.spilled: Spilled | None = None
        """Where the chunks are instead, once they are many."""
        self.is_large = False
        """It should go to disk now (`go_to_disk`)."""
        self._tail: bytearray | None = None
        """Chunks that have come after `CHUNKS_MAX` others, not yet enough of them for a piece."""
        self.heard = 0
        """Chunks heard."""
        self.size = 0
        """Bytes heard, kept or not."""
        self._cost = 0
        """Bytes that are kept, in memory or on disk, with what each chunk costs."""
        self._lent = 0
        """Of the budget, for as long as this body is there."""
        self.ended = False
        self.dropped: str | None = None
        """Why there are no chunks: `limit`, `in_flight`, `unredactable`, `store`, or the message that sends a file
        (`pathsend`)."""

    @property
    def held(self) -> int:
        """Bytes in memory, as the recorder is told; of a body on disk the times of its chunks."""
        return self._cost if self.spilled is None else min(self.heard, CHUNKS_MAX) * CHUNK_OVERHEAD

    @property
    def is_open(self) -> bool:
        """True while it is on its way to disk: nothing of it can be looked at before its end."""
        return self.spilled is not None and not self.spilled.is_ended

    @property
    def is_merged(self) -> bool:
        """True if not every border between chunks was kept."""
        return self._tail is not None

    def hear(self, data: object) -> None:
        if data:
            chunk = data if type(data) is bytes else bytes(memoryview(data))  # type: ignore[arg-type]  # else TypeError
            self.size += len(chunk)
            self.heard += 1
            if self.dropped is not None:
                return
            if self.heard > CHUNKS_MAX:
                self._merge(chunk)
            elif self._affords(len(chunk) + CHUNK_OVERHEAD):
                self._store(chunk)

    def end(self) -> None:
        """That was the last chunk."""
        self.ended = True
        if self._tail or self.spilled is not None:
            self.stop()

    def stop(self) -> None:
        """Nothing comes after what was heard, be it the end or not."""
        self.settle()
        if self.spilled is not None:
            self.spilled.end()

    def settle(self) -> None:
        """What was heard until now, and nothing that comes later, is in one of the pieces so far."""
        if self._tail:
            piece, self._tail = bytes(self._tail), bytearray()
            if self._affords(CHUNK_OVERHEAD):
                self._store(piece)

    def drop(self, reason: str) -> None:
        # In this order: a codec in another thread takes the chunks first and looks for a reason after that.
        self.dropped = reason
        spilled, self.spilled = self.spilled, None
        self.chunks, self._tail, self._cost = [], None, 0
        if spilled is not None:
            spilled.discard()
        self.release()

    def go_to_disk(self, tape: Tape, captured: Captured) -> None:
        """As far as the tape has a way there. Not known to the body itself: it is part of what is captured."""
        self.is_large = False
        spilled = spilled_to(tape, captured)
        if spilled is None:
            return
        # In this order: a codec in another thread takes the chunks first and looks for the disk after that.
        self.spilled, chunks, self.chunks = spilled, self.chunks, []
        for at_ns, chunk in chunks:
            if self.dropped is None:
                self._write(spilled, at_ns, chunk)

    def release(self) -> None:
        """It is out of memory, apart from what the writer has still to take."""
        lent, self._lent = self._lent, 0
        if lent:
            self._budget.give(lent)

    # Once it is written nobody refers to it any more; nor if its request was forgotten, or is not wanted.
    __del__ = release

    def slices(self) -> tuple[Sequence[tuple[int, bytes | Blob]], str | None]:
        """For the codec: each chunk with its time, and the reason if there are none."""
        # Looked at in this order: the request may be going on in another thread, to disk or out of memory.
        chunks, spilled = list(self.chunks), self.spilled
        stored, lost = (chunks, None) if spilled is None else spilled.slices()
        lost = self.dropped or lost
        return (stored, None) if lost is None else ((), lost)

    def _merge(self, chunk: bytes) -> None:
        if self._affords(len(chunk)):
            self._tail = bytearray() if self._tail is None else self._tail
            self._tail += chunk
            if len(self._tail) >= MERGED_BYTES:
                self.settle()

    def _affords(self, cost: int) -> bool:
        """False after the body had to go."""
        if self._cost + cost > self._max_bytes:
            self.drop("limit")
        elif not self._budget.take(cost):
            self.drop("in_flight")
        else:
            self._cost += cost
            self._lent += cost
            return True
        return False

    def _store(self, chunk: bytes) -> None:
        at_ns = time.monotonic_ns() - self.started_ns
        if self.spilled is not None:
            self._write(self.spilled, at_ns, chunk)
        else:
            self.chunks.append((at_ns, chunk))
            if self._cost > self._watched_from:
                self._grown()

    # ---- large bodies ------------------------------------------------------------------------------------------------

    def _grown(self) -> None:
        """Where does it go from here? What is known to become too large goes at once."""
        expected = max(self._cost, _length_in(self.headers))
        if expected > self._max_bytes:
            self.drop("limit")
        elif not self._is_structured():
            self._watched_from = self._max_bytes
            self.is_large = True
        elif expected > STRUCTURED_MAX:
            self.drop("unredactable")
        else:
            self._watched_from = STRUCTURED_MAX

    def _is_structured(self) -> bool:
        # Imported by the first large body: an app that has none starts without it.
        from timetracer_otel.redaction import is_structured

        content_type = _value_in(self.headers, b"content-type").decode("latin-1")
        codings = (bytes(value).decode("latin-1") for key, value in self.headers if bytes(key).lower() == _CODING)
        start = b"".join(chunk[:JSON_LOOK_BYTES] for _, chunk in self.chunks[:JSON_LOOK_BYTES])
        return is_structured(content_type, ",".join(codings)) or begins_as_json(start)

    def _write(self, spilled: Spilled, at_ns: int, chunk: bytes) -> None:
        self._lent -= len(chunk)
        if not spilled.write(at_ns, chunk):
            self.drop(NOT_STORED)


def begins_as_json(start: bytes) -> bool:
    """Whatever its type says, such a body is redacted as a whole: JSON is often sent as text/plain, and what begins
    with the mark of UTF-16 or UTF-32 is text in it."""
    if start.startswith(_WIDE_MARKS):
        return True
    return _BEGINS_AS_JSON.match(start) is not None and b"\0" not in start[:JSON_LOOK_BYTES]


def _length_in(headers: Sequence[Any]) -> int:
    """That which is announced; 0 if none is."""
    value = _value_in(headers, b"content-length").strip()
    return int(value) if value.isdigit() and len(value) < 20 else 0


def _value_in(headers: Sequence[Any], name: bytes) -> bytes:
    return next((bytes(value) for key, value in headers if bytes(key).lower() == name), b"")
