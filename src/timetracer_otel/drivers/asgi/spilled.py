"""A body on its way to disk: when each chunk passed; the bytes themselves are the writer's."""

from __future__ import annotations

import weakref
from array import array
from typing import TYPE_CHECKING, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.asgi import lending
from timetracer_otel.drivers.asgi.lending import TAP, Loan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from timetracer_otel.capture.table import Captured, Spill, Tape
    from timetracer_otel.cassette.model import Blob

OPEN: Final = "open"
"""Why there are no chunks of a body that still comes, or that the writer has not taken whole."""
NOT_STORED: Final = "store"
"""Why there are none of a body that did not reach the disk."""


class Spilled:
    """Guarded throughout: what a spill raises costs this body and nothing else.

    Whoever lets go of it without a word lets go of the file and of the memory as well.
    """

    __slots__ = ("__weakref__", "_abandoned", "_loan", "_slices", "_spill", "_times", "is_ended")

    def __init__(self, spill: Spill, loan: Loan) -> None:
        self._spill: Spill | None = spill
        """None once its chunks are known."""
        self._loan = loan
        self._times = array("q")
        self._slices: list[tuple[int, Blob]] | None = None
        self.is_ended = False
        self._abandoned = weakref.finalize(self, _let_go, spill, loan)
        self._abandoned.atexit = False  # what a process leaves behind is tidied up by the next one

    def write(self, at_ns: int, chunk: bytes) -> bool:
        """True if the chunk is on its way. Its bytes have been taken from the budget, and are given back from here."""
        self._loan.add(len(chunk))
        is_on_its_way = self._write(chunk) is not None
        if is_on_its_way:
            self._times.append(at_ns)
        else:
            self._loan.give(len(chunk))
        return is_on_its_way

    @guarded(TAP)
    def _write(self, chunk: bytes) -> bool | None:
        if self._spill is not None:
            self._spill.write(chunk)
            return True
        return None

    @guarded(TAP)
    def end(self) -> None:
        if self._spill is not None and not self.is_ended:
            self.is_ended = True
            self._spill.end()

    def discard(self) -> None:
        self._abandoned()

    def slices(self) -> tuple[Sequence[tuple[int, Blob]], str | None]:
        """Each chunk's time and place, or the reason if there are none. From here on the file is the cassette's."""
        if self._slices is not None:  # for another revision
            return self._slices, None
        if self._spill is None or not self.is_ended or self._loan.is_open:
            return (), OPEN
        blobs, lost = _blobs(self._spill) or ((), NOT_STORED)
        if lost is None and len(blobs) != len(self._times):
            lost = NOT_STORED
        if lost is not None:
            return (), lost
        self._slices, self._spill = list(zip(self._times, blobs, strict=True)), None
        self._abandoned.detach()
        return self._slices, None


@guarded(TAP)
def spilled_to(tape: Tape, captured: Captured) -> Spilled | None:
    """A way to disk for one body of an open exchange; None where everything stays in memory."""
    loan = Loan(lending.budget)
    spill = tape.spill(captured, loan.give)
    return None if spill is None else Spilled(spill, loan)


@guarded(TAP)
def _blobs(spill: Spill) -> tuple[Sequence[Blob], str | None]:
    blobs = spill.blobs()
    return (blobs, None) if blobs is not None else ((), spill.reason or OPEN)


@guarded(TAP)
def _discard(spill: Spill) -> bool:
    spill.discard()
    return True


def _let_go(spill: Spill, loan: Loan) -> None:
    """What waits for the writer is still in memory, and given back when it is not."""
    if not _discard(spill):
        loan.settle()
