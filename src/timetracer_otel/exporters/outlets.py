"""Where recorded parts go: into the store, as OTLP to a backend, or both. Each exporter of ours opens its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from timetracer_otel.cassette import Part


class Outlet(Protocol):
    """A way out of the process that is no store. Nothing of it raises but by a fault of ours, or waits for anybody but
    `flush`."""

    def part(self, part: Part, pieces: Sequence[bytes], start_ns: int, is_held: bool) -> None:
        """One redacted part as JSON text; `part` is the same without spans and exchanges. A held one waits for
        `settle`."""

    def environment(self, text: bytes) -> None:
        """A part of the environment of this process, redacted, for the traces that come."""

    def settle(self, trace_id: str, segment: str, is_kept: bool) -> None:
        """What becomes of the held parts of a segment."""

    def flush(self, timeout_s: float) -> bool:
        """True when everything so far has left."""

    def after_fork(self) -> None:
        """The child sends nothing of what waits in its parent."""


class Outlets:
    """Those that are open; all threads share it."""

    def __init__(self, live: Outlet | None = None) -> None:
        self.live = live
        self.has_store = live is None

    @property
    def keeps_inline(self) -> bool:
        """Nothing may lie beside a part: who gets it elsewhere has no blobs."""
        return self.live is not None

    def flush(self, timeout_s: float) -> bool:
        return self.live is None or self.live.flush(timeout_s)

    def after_fork(self) -> None:
        if self.live is not None:
            self.live.after_fork()
