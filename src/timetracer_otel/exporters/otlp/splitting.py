"""A merged cassette -> parts of which `merge` makes the same cassette: what is sent, and what a pull writes."""

from __future__ import annotations

from timetracer_otel.cassette import Cassette, EnvironmentPart, Part, Segment


def parts_of(cassette: Cassette) -> list[Part]:
    """All parts of each segment; the first of them holds everything, the others tell that they were there."""
    return [part for segment in cassette.segments for part in _parts_of_segment(segment)]


def environments_of(cassette: Cassette) -> list[EnvironmentPart]:
    """One part for each process."""
    return [
        EnvironmentPart(each.process, 0, each.exchanges, each.connections, each.dropped)
        for each in cassette.environments.values()
    ]


def _parts_of_segment(segment: Segment) -> list[Part]:
    first, *others = segment.parts or (0,)
    whole = Part(
        trace_id=segment.trace_id,
        segment=segment.id,
        process=segment.process,
        part=first,
        complete=segment.complete,
        spans=segment.spans,
        exchanges=segment.exchanges,
        entry=segment.entry,
        parent_segment=segment.parent_segment,
        resource=segment.resource,
        resource_schema_url=segment.resource_schema_url,
        connections=segment.connections,
        generated=segment.generated,
        pools=segment.pools,
        dropped=segment.dropped,
    )
    return [whole, *(_empty(segment, number) for number in others)]


def _empty(segment: Segment, number: int) -> Part:
    return Part(segment.trace_id, segment.id, segment.process, number, segment.complete)
