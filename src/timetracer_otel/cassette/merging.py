"""Parts in any order -> one cassette. Of two accounts of an exchange the one with the higher `rev` is the later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import (
    Acquire,
    Cassette,
    Connection,
    Entry,
    Environment,
    Exchange,
    Generated,
    Payload,
    Process,
    Segment,
    Span,
)
from timetracer_otel.cassette.part import EnvironmentPart, Part

Processes: TypeAlias = Mapping[str, Process]

_NEVER: Final = 2**63
"""Sorts segments of which no span was written behind all others."""


def merge(
    trace_id: str, parts: Iterable[Part], environments: Iterable[EnvironmentPart] = (), path: str = ""
) -> Cassette:
    """The trace. Raises ValueError if a part belongs to another trace."""
    ordered = sorted(parts, key=lambda part: (part.segment, part.process.id, part.part))
    _check_trace(trace_id, ordered)
    ordered_environments = sorted(environments, key=lambda part: (part.process.id, part.part))
    processes = _processes([*ordered, *ordered_environments])
    segments = [
        _segment(list(group), processes) for _, group in groupby(ordered, lambda part: (part.segment, part.process.id))
    ]
    return Cassette(
        trace_id=trace_id,
        segments=tuple(sorted(segments, key=lambda segment: (start_ns(segment), segment.id, segment.process.id))),
        environments=_environments(ordered_environments, processes),
        path=path,
    )


def start_ns(segment: Segment) -> int:
    """When the segment began, by its root or else by its earliest span; the end of time if no span was written."""
    if segment.root is not None:
        return segment.root.start_ns
    return min((span.start_ns for span in segment.spans), default=_NEVER)


def end_ns(segment: Segment) -> int:
    """When the last of the segment's spans and answers ended."""
    began_ns = start_ns(segment)
    ends = [span.end_ns for span in segment.spans]
    return max(ends + [began_ns + each.at_ns + each.duration_ns for each in segment.exchanges], default=began_ns)


def _check_trace(trace_id: str, parts: Sequence[Part]) -> None:
    for part in parts:
        if part.trace_id != trace_id:
            raise ValueError(f"a part of trace {part.trace_id} among those of {trace_id}")


def _processes(parts: Sequence[Part | EnvironmentPart]) -> Processes:
    """One identity per id, so that whoever compares two processes may compare the values."""
    return {part.process.id: part.process for part in reversed(parts)}


def _segment(parts: Sequence[Part], processes: Processes) -> Segment:
    exchanges = _exchanges(parts)
    first = parts[0]
    return Segment(
        trace_id=first.trace_id,
        id=first.segment,
        process=processes[first.process.id],
        complete=_is_complete(parts, exchanges),
        spans=_spans(parts),
        exchanges=exchanges,
        entry=_last_entry(parts),
        parent_segment=next((part.parent_segment for part in reversed(parts) if part.parent_segment), None),
        resource=_last_resource(parts),
        resource_schema_url=next((part.resource_schema_url for part in reversed(parts) if part.resource), ""),
        connections=_connections(parts),
        generated=_generated(parts),
        pools=_pools(parts),
        dropped=_dropped(parts),
        parts=tuple(part.part for part in parts),
    )


def _environments(parts: Sequence[EnvironmentPart], processes: Processes) -> Mapping[str, Environment]:
    found = {
        process_id: _environment(list(group), processes[process_id])
        for process_id, group in groupby(parts, lambda part: part.process.id)
    }
    # A child that learnt nothing of its own still has what it inherited: `environment_of` goes up by its parent.
    heirs = {process.id: Environment(process) for process in processes.values() if process.parent in found}
    return dict(sorted((heirs | found).items()))


def _environment(parts: Sequence[EnvironmentPart], process: Process) -> Environment:
    return Environment(
        process=process, exchanges=_exchanges(parts), connections=_connections(parts), dropped=_dropped(parts)
    )


def _is_complete(parts: Sequence[Part], exchanges: Sequence[Exchange]) -> bool:
    return (
        [part.part for part in parts] == list(range(len(parts)))
        and any(part.complete for part in parts if _holds_root(part))
        and all(exchange.complete for exchange in exchanges)
    )


def _holds_root(part: Part) -> bool:
    return any(span.span_id == part.segment for span in part.spans)


def _spans(parts: Sequence[Part]) -> tuple[Span, ...]:
    by_id = {span.span_id: span for part in parts for span in part.spans}
    return tuple(sorted(by_id.values(), key=lambda span: (span.start_ns, span.span_id)))


def _exchanges(parts: Sequence[Part] | Sequence[EnvironmentPart]) -> tuple[Exchange, ...]:
    by_id: dict[str, Exchange] = {}
    for part in parts:
        for exchange in part.exchanges:
            if exchange.id not in by_id or exchange.rev >= by_id[exchange.id].rev:
                by_id[exchange.id] = exchange
    # The length first: `9f…-2` came before `9f…-12`.
    return tuple(sorted(by_id.values(), key=lambda exchange: (exchange.at_ns, len(exchange.id), exchange.id)))


def _connections(parts: Sequence[Part] | Sequence[EnvironmentPart]) -> tuple[Connection, ...]:
    by_number = {(item.driver, item.number): item for part in parts for item in part.connections}
    return tuple(by_number[key] for key in sorted(by_number))


def _generated(parts: Sequence[Part]) -> tuple[Generated, ...]:
    by_call = {(item.kind, item.site, item.index): item for part in parts for item in part.generated}
    return tuple(by_call.values())


def _pools(parts: Sequence[Part]) -> tuple[Acquire, ...]:
    return tuple(sorted((item for part in parts for item in part.pools), key=lambda item: item.at_ns))


def _dropped(parts: Sequence[Part] | Sequence[EnvironmentPart]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part.dropped)
    return dict(total)


def _last_entry(parts: Sequence[Part]) -> Entry | None:
    return next((part.entry for part in reversed(parts) if part.entry is not None), None)


def _last_resource(parts: Sequence[Part]) -> Payload:
    return next((part.resource for part in reversed(parts) if part.resource), {})
