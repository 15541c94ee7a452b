"""What `diff` finds: values, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from timetracer_otel.cassette.model import Cassette, Exchange, Segment, Value
from timetracer_otel.drivers.base import Question


@dataclass(frozen=True, slots=True)
class Differs:
    path: str
    a: Value
    b: Value


@dataclass(frozen=True, slots=True)
class Ignored:
    """A difference that comes with every recording."""

    path: str
    reason: str
    a: Value
    b: Value
    exchanges: tuple[str, str] | None = None
    """Ids in A and in B; None where it is the entry's."""


@dataclass(frozen=True, slots=True)
class Item:
    """One recorded request in its driver's canonical form."""

    exchange: Exchange
    question: Question
    number: int
    """Its place among the requests of the segment, from 1."""


@dataclass(frozen=True, slots=True)
class Two:
    """The same statement in A and in B, and what differs about it."""

    a: Item
    b: Item
    request: tuple[Differs, ...] = ()
    answer: tuple[Differs, ...] = ()
    is_moved: bool = False
    """It stands at another place among the others."""


@dataclass(frozen=True, slots=True)
class Only:
    """Calls of one statement that have no counterpart."""

    calls: tuple[Item, ...]
    in_a: int
    """How often A has the statement."""
    in_b: int


@dataclass(frozen=True, slots=True)
class SegmentDiff:
    a: Segment
    b: Segment
    recording: tuple[Differs, ...] = ()
    """How it was recorded: whole or not."""
    asked: tuple[Differs, ...] = ()
    """What the entry was sent."""
    outcome: tuple[Differs, ...] = ()
    requests: tuple[Two, ...] = ()
    """Those that differ."""
    only_a: tuple[Only, ...] = ()
    only_b: tuple[Only, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    same_requests: int = 0

    @property
    def is_same(self) -> bool:
        return not (self.recording or self.asked or self.outcome or self.requests or self.only_a or self.only_b)


@dataclass(frozen=True, slots=True)
class Diff:
    a: Cassette
    b: Cassette
    segments: Sequence[SegmentDiff] = ()
    unpaired_a: Sequence[Segment] = ()
    unpaired_b: Sequence[Segment] = ()
    environment: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """`Python` or a package -> its versions in A and in B, where they differ. They do not make a difference."""

    @property
    def is_same(self) -> bool:
        return all(each.is_same for each in self.segments) and not (self.unpaired_a or self.unpaired_b)
