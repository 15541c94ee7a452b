"""Which recorded exchange answers a request. Pure: no lock, no I/O; `session` holds the lock.

Only equal requests match: same shape, same keys of all slots. Among equal ones the rungs of a ladder decide: the
transaction that the connection already follows, the recorded connection, the same place in the span tree, the earliest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from timetracer_otel.cassette.model import Exchange, Span
from timetracer_otel.drivers.base import Question
from timetracer_otel.replay.origin import Mapping as Proof
from timetracer_otel.replay.origin import Origins

FITS_MAX: Final = 32
"""Candidates with proven differences that compete; the earliest come first."""
OVERLAPS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands, then or now: in the numbers and names of the recording."""

    transaction: int | None = None
    connection: int | None = None
    path: tuple[str, ...] = ()
    """Names of the spans from the root's child down: a root is renamed while it runs."""

    def rungs(self) -> Iterator[Hashable]:
        if self.transaction is not None:
            yield "transaction", self.transaction, self.path
            yield "transaction", self.transaction
        if self.connection is not None:
            yield "connection", self.connection, self.path
            yield "connection", self.connection
        yield "path", self.path
        yield "order"

    def likeness(self, other: Place) -> tuple[bool, bool, bool]:
        """The ladder as a key: greater is more alike."""
        return (
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
    def values(self) -> tuple[Hashable, ...]:
        return tuple(slot.key for slot in self.question.slots)


def _holds(slot: str, path: str) -> bool:
    return path == slot or path.startswith((f"{slot}.", f"{slot}["))


@dataclass(slots=True)
class Group:
    """Candidates whose requests are equal, in recorded order."""

    candidates: list[Candidate] = field(default_factory=list)
    queues: dict[Hashable, deque[Candidate]] = field(default_factory=dict)
    calls: int = 0
    """How often replay has asked for it."""
    last: Candidate | None = None

    def add(self, candidate: Candidate) -> None:
        self.candidates.append(candidate)
        for rung in candidate.place.rungs():
            self.queues.setdefault(rung, deque()).append(candidate)

    def next(self, place: Place) -> deque[Candidate] | None:
        """The unused ones on the highest rung that has any, the earliest in front."""
        for rung in place.rungs():
            queue = self.queues.get(rung)
            while queue and queue[0].is_used:
                queue.popleft()
            if queue:
                return queue
        return None


@dataclass(frozen=True, slots=True)
class Found:
    candidate: Candidate
    mappings: tuple[Proof, ...] = ()
    is_ambiguous: bool = False
    is_repeated: bool = False


class Index:
    """All exchanges of one driver in one session."""

    def __init__(self, recorded: Iterable[tuple[Exchange, Question, Place]]) -> None:
        self.candidates = [Candidate(*each, order) for order, each in enumerate(recorded)]
        databases = {each.question.database for each in self.candidates} - {None}
        self._by_database = len(databases) > 1
        self._groups: dict[Hashable, Group] = {}
        self._shapes: dict[Hashable, list[Candidate]] = {}
        for candidate in self.candidates:
            self._groups.setdefault(self._key(candidate.question), Group()).add(candidate)
            self._shapes.setdefault(self._shape(candidate.question), []).append(candidate)

    def _shape(self, question: Question) -> Hashable:
        return question.shape, question.database if self._by_database else None

    def _key(self, question: Question) -> Hashable:
        slots = tuple((slot.path, slot.key) for slot in question.slots)
        return self._shape(question), question.in_transaction, slots

    def group(self, question: Question) -> Group | None:
        """The recorded requests that equal this one."""
        return self._groups.get(self._key(question))

    def same_shape(self, question: Question) -> Sequence[Candidate]:
        return self._shapes.get(self._shape(question), ())

    def shapes(self) -> Iterator[Sequence[Candidate]]:
        return iter(self._shapes.values())

    def find(self, question: Question, place: Place, origins: Origins, repeats: bool) -> Found | None:
        """The exchange that answers, not yet marked as used. `repeats`: the last equal one answers again and again."""
        group = self.group(question)
        if group is not None:
            group.calls += 1
            queue = group.next(place)
            if queue is not None:
                return Found(queue[0], is_ambiguous=_is_ambiguous(queue[0], islice(queue, 1, OVERLAPS_MAX)))
        proven = self._proven(question, place, origins)
        if proven is None and repeats and group is not None and group.last is not None:
            return Found(group.last, is_repeated=True)
        return proven

    def use(self, found: Found) -> None:
        found.candidate.is_used = True
        if (group := self.group(found.candidate.question)) is not None:
            group.last = found.candidate

    def _proven(self, question: Question, place: Place, origins: Origins) -> Found | None:
        fits = [Found(each, proof) for each, proof in self._fits(question, origins)]
        plain = [fit for fit in fits if all(mapping.kind != "redacted" for mapping in fit.mappings)]
        if not plain and len({fit.candidate.values for fit in fits}) > 1:
            return None  # a secret that fits several recorded ones proves nothing
        fits = sorted(plain or fits, key=lambda fit: fit.candidate.place.likeness(place), reverse=True)
        return _first(fits, place) if fits else None

    def _fits(self, question: Question, origins: Origins) -> Iterator[tuple[Candidate, tuple[Proof, ...]]]:
        alike = (each for each in self.same_shape(question) if each.question.in_transaction == question.in_transaction)
        unused = (each for each in alike if not each.is_used)
        proofs = ((each, origins.proves(each.question.slots, question.slots, each.redacted)) for each in unused)
        return islice(((each, proof) for each, proof in proofs if proof is not None), FITS_MAX)


def _first(fits: Sequence[Found], place: Place) -> Found:
    """The earliest of the most alike; `fits` are sorted so, since sorting keeps the recorded order of equals."""
    best = fits[0].candidate
    alike = fits[0].candidate.place.likeness(place)
    rivals = (fit.candidate for fit in fits[1:] if fit.candidate.place.likeness(place) == alike)
    return replace(fits[0], is_ambiguous=_is_ambiguous(best, rivals))


def _is_ambiguous(chosen: Candidate, rivals: Iterable[Candidate]) -> bool:
    """Equal requests that were under way together and got different answers: only their order tells them apart."""
    end_ns = chosen.exchange.at_ns + chosen.exchange.duration_ns
    return any(
        not rival.is_used and rival.exchange.at_ns < end_ns and rival.exchange.result != chosen.exchange.result
        for rival in rivals
    )


def span_paths(spans: Iterable[Span], root: str) -> Mapping[str, tuple[str, ...]]:
    """Span id -> names from the root's child down to it."""
    by_id = {span.span_id: span for span in spans}
    paths: dict[str, tuple[str, ...]] = {root: ()}
    for span in by_id.values():
        chain: list[Span] = []
        step: Span | None = span
        while step is not None and step.span_id not in paths and step not in chain:
            chain.append(step)
            step = by_id.get(step.parent_id or "")
        known = paths.get(step.span_id, ()) if step is not None else ()
        for link in reversed(chain):
            known = (*known, link.name)
            paths[link.span_id] = known
    return paths
