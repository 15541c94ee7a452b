"""How much the recorder keeps in memory, beside the payloads (`budget`)."""

from __future__ import annotations

from typing import Final

from timetracer_otel.config import MIB

PART_MAX_SPANS: Final = 2000
PART_MAX_BYTES: Final = 8 * MIB
"""Of payload: what a segment has captured by then becomes a part, though its root is still open."""
CLOSED_MAX: Final = 10_000
"""Ended spans by which late children and late answers still find their segment."""
OPEN_MAX: Final = 50_000
"""Spans that have not ended: those that never do must not fill the memory of a server."""
CONNECTIONS_MAX: Final = 10_000
GENERATED_MAX: Final = 1_000
ACQUIRES_MAX: Final = 10_000
"""Waits for a connection of a pool that one segment keeps for its next part."""
LATE_IDS_MAX: Final = 16
"""Of a written part, for work that outlives it: the newest, since each segment of `_closed` keeps its own."""
HELD_MAX: Final = 25_000
"""Spans, and exchanges, that one segment keeps until it is decided what becomes of them: a root may never end."""
