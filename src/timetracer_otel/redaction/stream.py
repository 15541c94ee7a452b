"""A body that is masked while it comes in, piece by piece, in bounded memory.

What is decided depends on the bytes and on nothing else: a window is looked at once it is full, however it was filled.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

from timetracer_otel.config import KIB
from timetracer_otel.redaction.binary import is_clean
from timetracer_otel.redaction.masker import Masker

WINDOW_BYTES: Final = 128 * KIB
OVERLAP_BYTES: Final = 16 * KIB
"""A secret up to this size is found wherever it stands."""
_HEAD_BYTES: Final = 4 * KIB
_SEPARATORS: Final = (b"\n", b" ", b";", b",", b"&", b"")
_STEPS: Final = 16


class Scrubber:
    """`feed` what comes in, write what it gives back; what is held back comes with `end`."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        """What is known by now to hold no secret any more."""
        view, done, out = memoryview(data), 0, list[bytes]()
        while done < len(view):
            taken = view[done : done + WINDOW_BYTES - len(self._held)]
            self._held += taken
            done += len(taken)
            if len(self._held) == WINDOW_BYTES:
                out.append(self._passed())
        return b"".join(out)

    def end(self) -> bytes:
        """The rest; afterwards it can begin anew."""
        rest, self._held = bytes(self._held), bytearray()
        return self._masker.scrub(rest)

    def _passed(self) -> bytes:
        """The window up to where it can be cut: no hit may lie across, what follows may be part of another one."""
        window = bytes(self._held)
        limit = WINDOW_BYTES - OVERLAP_BYTES
        masked = window if b"\0" in window and is_clean(window, self._masker) else self._masker.scrub(window)
        if masked is window:
            del self._held[:limit]
            return window[:limit]
        for cut in _cuts(window, limit):
            head = self._masker.scrub(window[:cut])
            if head + self._masker.scrub(window[cut:]) == masked:
                del self._held[:cut]
                return head
        return self._swallowed(window, limit)

    def _swallowed(self, window: bytes, limit: int) -> bytes:
        """A secret that is longer than the window: of its middle nothing is kept, of its marker it is all the same.

        Beginning and end stay held as one piece, so that the rules still see where the secret ends.
        """
        head, middle, tail = window[:_HEAD_BYTES], window[_HEAD_BYTES:limit], window[limit:]
        parts = self._masker.scrub(head) + self._masker.scrub(tail)
        if self._masker.scrub(head + tail) != parts:
            self._held[:] = head + tail
            return b""
        self._held[:] = tail  # many short ones, one after another without a gap
        return self._masker.scrub(head) + self._masker.mark("unredactable", middle)


def _cuts(window: bytes, limit: int) -> Iterator[int]:
    """Where the window may be cut, the last places first: after a line, after a word, anywhere."""
    step = (limit - _HEAD_BYTES) // _STEPS
    for end, separator in product(range(limit, _HEAD_BYTES, -step), _SEPARATORS):
        cut = window.rfind(separator, end - step, end) + len(separator)
        if cut > _HEAD_BYTES:
            yield cut
