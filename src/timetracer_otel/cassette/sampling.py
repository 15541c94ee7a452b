"""Which segments of a trace lack a span that was there: it was not sampled, its children were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from timetracer_otel.cassette.model import Cassette, Segment, Span

NOT_SAMPLED: Final = "parent span not sampled"
"""How it is labelled for people."""
_LOST: Final = frozenset({"spans", "orphan"})
"""Reasons of `dropped` for which a parent may be missing although it was sampled."""


def partly_sampled(cassette: Cassette) -> frozenset[tuple[str, str]]:
    """Segment id and process id of each segment in which a span's parent, of the same process, is nowhere."""
    known = {span.span_id for segment in cassette.segments for span in segment.spans}
    known |= {segment.id for segment in cassette.segments}
    return frozenset(
        (segment.id, segment.process.id)
        for segment in cassette.segments
        if any(span.parent_id not in known for span in _with_local_parent(segment))
    )


def _with_local_parent(segment: Segment) -> Iterator[Span]:
    """Spans whose parent is in the trace if it was sampled: neither in another process, nor lost, nor still open."""
    if segment.parent_segment is not None or not _LOST.isdisjoint(segment.dropped):
        return
    spans = segment.spans if segment.complete else filter(None, [segment.root])
    yield from (span for span in spans if span.parent_id is not None and not span.remote_parent)
