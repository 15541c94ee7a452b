"""Recorded requests as candidates for an answer, found by what they share with a question. Pure.

No question costs more in a long recording than in a short one: each step looks up, none looks through.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question
from timetracer_otel.redaction.markers import MARKER
from timetracer_otel.replay.instants import NEAR_NS, first_fraction
from timetracer_otel.replay.origin import Origins

READY: Final = "ready"
"""The rung of what made a connection of a pool ready."""
NEAR_MAX: Final = 64
"""Candidates of one kind (with this value, not used yet, earliest) that are looked at to explain a miss."""

Mask: TypeAlias = tuple[int, ...]
"""Numbers of the slots that redaction has changed: anything may stand there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands, then or now: in the numbers and names of the recording."""

    transaction: int | None = None
    connection: int | None = None
    path: tuple[str, ...] = ()
    """Names of the spans from the root's child down: a root is renamed while it runs."""
    is_childs: bool | None = None
    """Of a process that was forked meanwhile; None where none was. Each process has its own answers."""
    is_ready: bool = False
    """Recorded while a pool made a connection ready."""

    def rungs(self) -> list[Hashable]:
        """From the highest down."""
        found: list[Hashable] = []
        if self.transaction is not None:
            found += (("transaction", self.transaction, self.path), ("transaction", self.transaction))
        if self.connection is not None:
            found += (("connection", self.connection, self.path), ("connection", self.connection))
        anywhere: list[Hashable] = [("path", self.path), "order"]
        found += anywhere
        if self.is_ready:
            found.append(READY)
        if self.is_childs is None:
            return found
        # A fork goes on to count from where its parent was: numbers of both mean nothing to each other.
        return [*((self.is_childs, rung) for rung in found), *anywhere]

    def likeness(self, other: Place) -> tuple[bool, bool, bool, bool]:
        """The ladder as a key: greater is more alike."""
        return (
            self.is_childs == other.is_childs,
            self.transaction is not None and self.transaction == other.transaction,
            self.connection is not None and self.connection == other.connection,
            self.path == other.path,
        )


@dataclass(slots=True)
class Candidate:
    exchange: Exchange
    question: Question
    place: Place
    order: int
    is_used: bool = False

    @property
    def redacted(self) -> frozenset[str]:
        """Paths of the slots that redaction has changed."""
        paths = [path.removeprefix("request.") for path in self.exchange.redacted if path.startswith("request.")]
        return frozenset(s.path for s in self.question.slots if any(_holds(s.path, path) for path in paths))

    @property
    def mask(self) -> Mask:
        changed = self.redacted
        return tuple(
            number
            for number, slot in enumerate(self.question.slots)
            if slot.path in changed or (slot.text is not None and MARKER.search(slot.text))
        )

    @property
    def values(self) -> tuple[Hashable, ...]:
        return tuple(slot.key for slot in self.question.slots)


def _holds(slot: str, path: str) -> bool:
    return path == slot or path.startswith((f"{slot}.", f"{slot}["))


Ordered: TypeAlias = "OrderedDict[int, Candidate]"
"""By their order: what is used leaves at once, from wherever it stands, and the earliest stays in front."""


@dataclass(slots=True)
class Kin:
    """Unused candidates that have the same outside of what a proof may change."""

    unused: Ordered = field(default_factory=OrderedDict)
    by_id: dict[str, Ordered] = field(default_factory=dict)
    """Those that hold this recorded id."""
    by_time: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """By number of a slot the instants in it, each with the order of its candidate; made when first asked for."""

    def add(self, candidate: Candidate, ids: frozenset[str]) -> None:
        self.unused[candidate.order] = candidate
        for each in ids:
            self.by_id.setdefault(each, OrderedDict())[candidate.order] = candidate

    def remove(self, candidate: Candidate, ids: frozenset[str]) -> None:
        self.unused.pop(candidate.order, None)
        for each in ids:
            self.by_id[each].pop(candidate.order, None)

    def holding(self, ids: frozenset[str]) -> Ordered:
        """The fewest among which all that hold these ids are."""
        return min((self.by_id.get(each, OrderedDict()) for each in ids), key=len, default=self.unused)

    def near(self, number: int, instant_ns: int) -> Iterator[Candidate]:
        """Those whose slot of this number holds an instant that may be this one, the earliest first."""
        if number not in self.by_time:
            instants = ((first_fraction(each.question.slots[number]), order) for order, each in self.unused.items())
            self.by_time[number] = sorted((at, order) for at, order in instants if at is not None)
        line = self.by_time[number]
        first, last = (bisect_left(line, (at, 0)) for at in (instant_ns - NEAR_NS, instant_ns + NEAR_NS))
        return (self.unused[order] for _, order in sorted(line[first:last], key=itemgetter(1)) if order in self.unused)


class Family:
    """The candidates of one shape, in recorded order."""

    def __init__(self) -> None:
        self.all: list[Candidate] = []
        self.unused: Ordered = OrderedDict()
        self._kin: dict[Mask, dict[Hashable, Kin]] | None = None
        self._home: dict[int, tuple[Kin, frozenset[str]]] = {}

    def add(self, candidate: Candidate) -> None:
        """Before the first question."""
        self.all.append(candidate)
        self.unused[candidate.order] = candidate

    def use(self, candidate: Candidate) -> None:
        self.unused.pop(candidate.order, None)
        if (home := self._home.pop(candidate.order, None)) is not None:
            kin, ids = home
            kin.remove(candidate, ids)

    @property
    def first(self) -> Candidate:
        """The earliest that is not used yet, else the earliest."""
        return next(iter(self.unused.values()), self.all[0])

    def provable(self, question: Question, origins: Origins) -> Iterator[Candidate]:
        """Those not used yet that `origins` may prove to be the same request, the earliest first."""
        if self._kin is None:
            self._kin = self._gathered(origins)
        found = (self._fitting(question, origins, mask, kin) for mask, kin in self._kin.items())
        return heapq.merge(*found, key=lambda each: each.order)

    def _gathered(self, origins: Origins) -> dict[Mask, dict[Hashable, Kin]]:
        gathered: dict[Mask, dict[Hashable, Kin]] = {}
        for candidate in self.unused.values():
            mask, slots = candidate.mask, candidate.question.slots
            traits = tuple(None if n in mask else origins.recorded_trait(slot) for n, slot in enumerate(slots))
            key = candidate.question.in_transaction, traits
            kin = gathered.setdefault(mask, {}).setdefault(key, Kin())
            ids = origins.recorded_ids(slot for n, slot in enumerate(slots) if n not in mask)
            kin.add(candidate, ids)
            self._home[candidate.order] = kin, ids
        return gathered

    def _fitting(
        self, question: Question, origins: Origins, mask: Mask, kin: dict[Hashable, Kin]
    ) -> Iterator[Candidate]:
        slots = question.slots
        traits = tuple(None if n in mask else origins.asked_trait(slot) for n, slot in enumerate(slots))
        found = kin.get((question.in_transaction, traits))
        if found is None:
            return iter(())
        if (reckoned := origins.reckoned((n, s) for n, s in enumerate(slots) if n not in mask)) is not None:
            return found.near(*reckoned)
        return iter(found.holding(origins.needed_ids(s for n, s in enumerate(slots) if n not in mask)).values())

    def near(self, question: Question) -> list[Candidate]:
        """Some of those most like the question: which share its rarest values, are not used yet, or came first."""
        shared = sorted((self._by_value.get((s.path, s.key), []) for s in question.slots), key=len)
        kinds = [*(each[:NEAR_MAX] for each in shared), islice(self.unused.values(), NEAR_MAX), self.all[:NEAR_MAX]]
        return list({each.order: each for kind in kinds for each in kind}.values())

    @cached_property
    def _by_value(self) -> dict[tuple[str, Hashable], list[Candidate]]:
        found: dict[tuple[str, Hashable], list[Candidate]] = {}
        for candidate in self.all:
            for slot in candidate.question.slots:
                found.setdefault((slot.path, slot.key), []).append(candidate)
        return found
