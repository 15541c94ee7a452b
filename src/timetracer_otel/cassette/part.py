"""The files of a store in memory, one value per file. `merge` makes segments and environments of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from timetracer_otel.cassette.model import Acquire, Connection, Entry, Exchange, Generated, Payload, Process, Span


@dataclass(frozen=True, slots=True)
class Part:
    """One written file of a segment: what came up since the part before. `segment` is the root's span id."""

    trace_id: str
    segment: str
    process: Process
    part: int
    """0, 1, 2 ... without a gap: a gap says that a file was lost."""
    complete: bool
    """Of the part that holds the root: the root and every span below it have ended. Exchanges speak for themselves."""
    spans: tuple[Span, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    entry: Entry | None = None
    parent_segment: str | None = None
    resource: Payload = field(default_factory=dict)
    resource_schema_url: str = ""
    connections: tuple[Connection, ...] = ()
    generated: tuple[Generated, ...] = ()
    pools: tuple[Acquire, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Losses since the part before; a segment's are the sum."""


@dataclass(frozen=True, slots=True)
class EnvironmentPart:
    """One written file of a process's environment: what came up since the part before."""

    process: Process
    part: int
    exchanges: tuple[Exchange, ...] = ()
    connections: tuple[Connection, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
