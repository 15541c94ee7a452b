"""Which recorded exchange answers a request. Pure: no lock, no I/O; `session` holds the lock.

Only equal requests match: same shape, same keys of all slots. Among equal ones the rungs of a ladder decide: the
transaction that the connection already follows, the recorded connection, the same place in the span tree, the earliest.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Final

from timetracer_otel.cassette.model import Exchange, Span
from timetracer_otel.drivers.base import Question
from timetracer_otel.redaction.markers import MARKER
from timetracer_otel.replay.candidates import READY, Candidate, Family, Place
from timetracer_otel.replay.likeness import Statements
from timetracer_otel.replay.origin import Mapping as Proof
from timetracer_otel.replay.origin import Origins, unbound

UNBOUND: Final = unbound()
FITS_MAX: Final = 32
"""Candidates with proven differences that compete; the earliest come first."""
OVERLAPS_MAX: Final = 64
LOCAL_FITS_MAX: Final = 4
LOCAL_MAX: Final = 64
"""Candidates whose differences the process itself may have made; the earliest that are not used yet."""


@dataclass(slots=True)
class Group:
    """Candidates whose requests are equal, in recorded order."""

    candidates: list[Candidate] = field(default_factory=list)
    calls: int = 0
    """How often replay has asked for it."""
    last: Candidate | None = None
    queues: dict[Hashable, deque[Candidate]] = field(default_factory=dict)
    """By rung; made when first asked for, which most groups never are."""
    is_in_time: bool = True
    """Each began after the one before; known with the queues."""

    def next(self, place: Place) -> deque[Candidate] | None:
        """The unused ones on the highest rung that has any, the earliest in front."""
        return next((queue for rung in place.rungs() if (queue := self.on(rung))), None)

    def on(self, rung: Hashable) -> deque[Candidate] | None:
        """The unused ones on this rung."""
        if not self.queues:
            self._line_up()
        queue = self.queues.get(rung)
        while queue and queue[0].is_used:
            queue.popleft()
        return queue

    def _line_up(self) -> None:
        began_ns = 0
        for candidate in self.candidates:
            self.is_in_time = self.is_in_time and began_ns <= candidate.exchange.at_ns
            began_ns = candidate.exchange.at_ns
            for rung in candidate.place.rungs():
                self.queues.setdefault(rung, deque()).append(candidate)

    def rivals(self, queue: deque[Candidate]) -> Iterator[Candidate]:
        """Of its first: some of those that come next; none that began after its end, where that is known by one look.

        They need not be in the order of time: those of forked children come after all of their parent's.
        """
        first = queue[0].exchange
        if self.is_in_time and len(queue) > 1 and queue[1].exchange.at_ns >= first.at_ns + first.duration_ns:
            return iter(())
        return _rivals(queue)


@dataclass(frozen=True, slots=True)
class Found:
    candidate: Candidate
    mappings: tuple[Proof, ...] = ()
    is_ambiguous: bool = False
    is_repeated: bool = False

    @property
    def secrets(self) -> tuple[tuple[str, str], ...]:
        """The recorded ones that this stands on, each with what it is taken for; other proofs stand by themselves."""
        return tuple(pair for mapping in self.mappings if mapping.kind == "redacted" for pair in mapping.pairs)

    def stands_on(self, told: frozenset[str]) -> bool:
        """True if a real value is taken for one of the secrets with these digits."""
        return any(was.strip("#]") in told and not MARKER.search(now) for was, now in self.secrets)


class Index:
    """All exchanges of one driver in one session."""

    def __init__(
        self, recorded: Iterable[tuple[Exchange, Question, Place]], told: Callable[[], frozenset[str]] = frozenset
    ) -> None:
        """`told`: digits of the markers that the application has from answers; asked for when it matters."""
        self._told = told
        self.candidates = [Candidate(*each, order) for order, each in enumerate(recorded)]
        databases = {each.question.database for each in self.candidates} - {None}
        self._by_database = len(databases) > 1
        self._groups: defaultdict[Hashable, Group] = defaultdict(Group)
        self._families: defaultdict[Hashable, Family] = defaultdict(Family)
        self._homes = [self._add(candidate) for candidate in self.candidates]
        self._transactions: defaultdict[int, list[Candidate]] = defaultdict(list)
        for candidate in self.candidates:
            if candidate.place.transaction is not None:
                self._transactions[candidate.place.transaction].append(candidate)

    def _add(self, candidate: Candidate) -> tuple[Group, Family]:
        """To where it belongs."""
        group = self._groups[self._key(candidate.question)]
        family = self._families[self._shape(candidate.question)]
        group.candidates.append(candidate)
        family.add(candidate)
        return group, family

    def _shape(self, question: Question) -> Hashable:
        return question.shape, question.database if self._by_database else None

    def _key(self, question: Question) -> Hashable:
        slots = tuple((slot.path, slot.key) for slot in question.slots)
        return self._shape(question), question.in_transaction, slots

    def group(self, question: Question) -> Group | None:
        """The recorded requests that equal this one."""
        return self._groups.get(self._key(question))

    def has(self, question: Question) -> bool:
        """True where an equal one was recorded, used or not: ids that a driver made and secrets may be any."""
        family = self.family(question)
        return family is not None and any(
            each.question.in_transaction == question.in_transaction
            and UNBOUND.proves(each.question.slots, question.slots, each.redacted) is not None
            for each in family.all
        )

    def family(self, question: Question) -> Family | None:
        """The recorded requests of the same shape."""
        return self._families.get(self._shape(question))

    @cached_property
    def statements(self) -> Statements:
        """One request of each shape, to be found by its words."""
        return Statements(self._families.values())

    def find(self, question: Question, place: Place, origins: Origins, repeats: bool) -> Found | None:
        """The exchange that answers, not yet marked as used. `repeats`: the last equal one answers again and again."""
        group = self.group(question) if origins.are_themselves(question.slots) else None
        if group is not None:
            group.calls += 1
            queue = group.next(place)
            if queue is not None:
                is_ambiguous = _is_ambiguous(queue[0], group.rivals(queue)) or self._is_open(queue)
                return Found(queue[0], is_ambiguous=is_ambiguous)
        proven = self._proven(question, place, origins)
        if proven is None and repeats and group is not None and group.last is not None:
            return Found(group.last, is_repeated=True)
        return proven

    def find_ready(self, question: Question) -> Found | None:
        """As `find`, only among what made a connection of a pool ready."""
        group = self.group(question)
        queue = group.on(READY) if group is not None else None
        return Found(queue[0]) if queue else None

    def use(self, found: Found) -> None:
        found.candidate.is_used = True
        group, family = self._homes[found.candidate.order]
        family.use(found.candidate)
        group.last = found.candidate

    def _is_open(self, queue: deque[Candidate]) -> bool:
        """True if its first begins one of several transactions that ran together and differ by what was answered alone:
        which of them it is, nothing says."""
        own = self._begun_by(queue[0])
        if not own:
            return False
        end_ns = own[-1].exchange.at_ns + own[-1].exchange.duration_ns
        others = (self._begun_by(each) for each in _rivals(queue) if not each.is_used and each.exchange.at_ns < end_ns)
        return any(self._are_told_by_answers(own, other) for other in others)

    def _begun_by(self, candidate: Candidate) -> Sequence[Candidate]:
        """The transaction of which it is the first request, else nothing."""
        number = candidate.place.transaction
        found = self._transactions[number] if number is not None else ()
        return found if found and found[0] is candidate else ()

    def _are_told_by_answers(self, one: Sequence[Candidate], other: Sequence[Candidate]) -> bool:
        for mine, its in zip(one, other, strict=False):
            if self._key(mine.question) != self._key(its.question):
                return False
            if mine.exchange.result != its.exchange.result:
                return True
        return False

    def _proven(self, question: Question, place: Place, origins: Origins) -> Found | None:
        fits = [Found(each, proof) for each, proof in self._fits(question, origins)]
        if not fits and origins.may_be_local(question.slots):
            fits = [Found(each, proof) for each, proof in islice(self._local(question, origins), LOCAL_FITS_MAX)]
        plain = [fit for fit in fits if all(mapping.kind != "redacted" for mapping in fit.mappings)]
        if not plain and len({fit.secrets for fit in fits}) > 1:
            told = self._told()
            fits = [fit for fit in fits if not fit.stands_on(told)]
            if len({fit.secrets for fit in fits}) > 1:
                return None  # a secret that fits several recorded ones proves nothing
        fits = sorted(plain or fits, key=lambda fit: fit.candidate.place.likeness(place), reverse=True)
        return _first(fits, place) if fits else None

    def _fits(self, question: Question, origins: Origins) -> Iterator[tuple[Candidate, tuple[Proof, ...]]]:
        family = self.family(question)
        unused = family.provable(question, origins) if family is not None else iter(())
        proofs = ((each, origins.proves(each.question.slots, question.slots, each.redacted)) for each in unused)
        return islice(((each, proof) for each, proof in proofs if proof is not None), FITS_MAX)

    def _local(self, question: Question, origins: Origins) -> Iterator[tuple[Candidate, tuple[Proof, ...]]]:
        """The last resort: nothing tells beforehand where in a recorded request something of the kind may stand."""
        family = self.family(question)
        for each in islice(family.unused.values(), LOCAL_MAX) if family is not None else ():
            if each.question.in_transaction == question.in_transaction:
                then_ns = each.exchange.at_ns
                proof = origins.proves(each.question.slots, question.slots, each.redacted, then_ns)
                if proof is not None:
                    yield each, proof


def _first(fits: Sequence[Found], place: Place) -> Found:
    """The earliest of the most alike; `fits` are sorted so, since sorting keeps the recorded order of equals."""
    best = fits[0].candidate
    alike = fits[0].candidate.place.likeness(place)
    rivals = (fit.candidate for fit in fits[1:] if fit.candidate.place.likeness(place) == alike)
    return replace(fits[0], is_ambiguous=_is_ambiguous(best, rivals))


def _rivals(queue: deque[Candidate]) -> Iterator[Candidate]:
    """Of its first: some of those that come next."""
    return islice(queue, 1, OVERLAPS_MAX)


def _is_ambiguous(chosen: Candidate, rivals: Iterable[Candidate]) -> bool:
    """Equal requests that were under way together and got different answers: only their order tells them apart."""
    end_ns = chosen.exchange.at_ns + chosen.exchange.duration_ns
    return any(
        not rival.is_used
        and rival.exchange.at_ns < end_ns
        and rival.exchange.result != chosen.exchange.result
        and not _is_ordered(rival.exchange, chosen.exchange)
        for rival in rivals
    )


def _is_ordered(one: Exchange, other: Exchange) -> bool:
    """True for two of one call, such as executemany: they began together, and the connection keeps their order."""
    return one.connection is not None and one.connection == other.connection and one.at_ns == other.at_ns


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
