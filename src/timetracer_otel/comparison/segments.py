"""Two cassettes: their segments in pairs, and of each pair what was asked, what came of it, and every request."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import Cassette, Exchange, Payload, Segment
from timetracer_otel.comparison import answers
from timetracer_otel.comparison.model import Diff, Differs, Ignored, Item, SegmentDiff, Two
from timetracer_otel.comparison.noise import Noise, slot_of
from timetracer_otel.comparison.requests import Matched, Order, items, match, only
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import ABSENT, Comparison, Difference, Slot
from timetracer_otel.replay.explain import SIDES
from timetracer_otel.replay.library import entry_of

Compare: TypeAlias = Callable[[Exchange, Exchange], Comparison]

MALFORMED_PAYLOAD: Final = (AttributeError, LookupError, OverflowError, TypeError, ValueError)
"""What a driver raises that compares payloads of a shape that it does not write."""
NOT_KEPT: Final = "neither recording has it, so it cannot be compared"
FREE: Final = "chance: it was under way with all that it passed"
VALUES: Final = ("body", "return_value", "args", "kwargs")
"""Where None is a value: elsewhere it stands for nothing."""


def compare(a: Cassette, b: Cassette) -> Diff:
    """Segments are paired by the name of their entry and by order; one with one, whatever their names."""
    noise = Noise(a, b)
    pairs = list(_paired(a.segments, b.segments))
    left_a, left_b = ({id(pair[side]) for pair in pairs} for side in (0, 1))
    return Diff(
        a,
        b,
        tuple(_Segments(*pair, noise).diff() for pair in pairs),
        tuple(each for each in a.segments if id(each) not in left_a),
        tuple(each for each in b.segments if id(each) not in left_b),
        _environment(a, b),
    )


def name_of(segment: Segment) -> str:
    """Of its entry; of its root where that is not known."""
    root = segment.root
    return segment.entry.name if segment.entry is not None else root.name if root is not None else ""


def _paired(a: Sequence[Segment], b: Sequence[Segment]) -> Iterator[tuple[Segment, Segment]]:
    if len(a) == len(b) == 1:
        yield a[0], b[0]
        return
    waiting: dict[str, deque[Segment]] = {}
    for segment in b:
        waiting.setdefault(name_of(segment), deque()).append(segment)
    for segment in a:
        if found := waiting.get(name_of(segment)):
            yield segment, found.popleft()


class _Segments:
    """One pair of segments; what is ignored gathers while it is compared."""

    def __init__(self, a: Segment, b: Segment, noise: Noise) -> None:
        self._a, self._b, self._noise = a, b, noise
        self._ignored: list[Ignored] = []

    def diff(self) -> SegmentDiff:
        asked, outcome = self._entry()
        a, b = items(self._a.exchanges), items(self._b.exchanges)
        matched = match(a, b, self._noise)
        twos = list(self._twos(a, b, matched))
        differing = tuple(two for two in twos if two.request or two.answer or two.is_moved)
        return SegmentDiff(
            self._a,
            self._b,
            tuple(_differing(_recording(self._a), _recording(self._b))),
            tuple(asked),
            tuple(outcome),
            differing,
            only(matched.only_a, a, a, b),
            only(matched.only_b, b, a, b),
            tuple(self._ignored),
            len(twos) - len(differing),
        )

    # ---- entry -------------------------------------------------------------------------------------------------------

    def _entry(self) -> tuple[list[Differs], list[Differs]]:
        """What was sent, and what came back."""
        name = [Differs("entry", name_of(self._a), name_of(self._b))] if name_of(self._a) != name_of(self._b) else []
        a, b = entry_of(self._a), entry_of(self._b)
        if a is None or b is None or a.signature.lib != b.signature.lib:
            return name, list(_differing(_outcome(self._a), _outcome(self._b)))
        driver = registry.entry(a.signature.lib)
        asked = self._compared(driver.compare_requests, a, b, (a.request, b.request))
        return [*name, *asked], self._answered(a, b, driver.compare)

    def _answered(self, a: Exchange, b: Exchange, compare: Compare) -> list[Differs]:
        was, now = (answers.lost(each) or answers.KEPT for each in (a, b))
        found = [Differs("answer", was, now)] if was != now else []
        if was == now != answers.KEPT:
            self._ignored.append(Ignored("answer", NOT_KEPT, was, now))
        if a.result and b.result:
            # Without its paths no marker is excused there: `noise` knows whether one process made both.
            found += self._compared(compare, a, replace(b, redacted=()), (a.result, b.result))
        return found

    def _compared(self, compare: Compare, a: Exchange, b: Exchange, payloads: tuple[Payload, Payload]) -> list[Differs]:
        try:
            found = compare(a, b)
        except MALFORMED_PAYLOAD:  # a stranger's, of a shape that its driver cannot read: it is still data
            return list(self._unexcused(answers.walk("", *payloads), None))
        return self._left(found)

    def _left(self, found: Comparison) -> list[Differs]:
        """What our own rules do not excuse either."""
        self._ignored += [Ignored(each.path, each.reason, ABSENT, ABSENT) for each in found.ignored]
        return list(self._unexcused(map(_slots_of, found.differences), None))

    # ---- requests ----------------------------------------------------------------------------------------------------

    def _twos(self, a: Sequence[Item], b: Sequence[Item], matched: Matched) -> Iterator[Two]:
        order = Order(a, b, matched.pairs)
        moved = set(matched.moved)
        for left, right in sorted([*matched.pairs, *moved]):
            yield self._two(a[left], b[right], (left, right) in moved, order)

    def _two(self, a: Item, b: Item, is_moved: bool, order: Order) -> Two:
        ids = a.exchange.id, b.exchange.id
        if is_moved and order.is_free((a.number - 1, b.number - 1)):
            self._ignored.append(Ignored("order", FREE, a.number, b.number, ids))
            is_moved = False
        request = (*self._unexcused(_slots(a, b), ids), *_transaction(a, b))
        return Two(a, b, request, self._answer(a.exchange, b.exchange, ids), is_moved)

    def _answer(self, a: Exchange, b: Exchange, ids: tuple[str, str]) -> tuple[Differs, ...]:
        if (gone := answers.lost(a)) is not None and gone == answers.lost(b):
            self._ignored.append(Ignored("answer", NOT_KEPT, gone, gone, ids))
        return tuple(self._unexcused(answers.differing(a, b, self._noise), ids))

    def _unexcused(self, found: Iterable[tuple[Slot, Slot]], exchanges: tuple[str, str] | None) -> Iterator[Differs]:
        for a, b in found:
            reason = self._noise.excuse(a, b)
            if reason is None:
                yield Differs(a.path, a.shown, b.shown)
            else:
                self._ignored.append(Ignored(a.path, reason, a.shown, b.shown, exchanges))


def _slots_of(difference: Difference) -> tuple[Slot, Slot]:
    path = difference.path
    is_value = path.startswith(VALUES)
    values = (ABSENT if each is None and not is_value else each for each in (difference.recorded, difference.replayed))
    was, now = (slot_of(path, each) for each in values)
    return was, now


def _slots(a: Item, b: Item) -> Iterator[tuple[Slot, Slot]]:
    if any(each.exchange.dropped and not each.question.slots for each in (a, b)):
        return  # of what was too large its statement is kept, its values are not: the answer says so
    for was, now in zip_longest(a.question.slots, b.question.slots):
        path = (was or now).path
        one, other = was or slot_of(path, ABSENT), now or slot_of(path, ABSENT)
        if one.key != other.key or one.path != other.path:
            yield one, other


def _transaction(a: Item, b: Item) -> Iterator[Differs]:
    was, now = a.question.in_transaction, b.question.in_transaction
    if was is not now and None not in (was, now):
        yield Differs("transaction", SIDES[was], SIDES[now])


# ---- what is said of the whole ---------------------------------------------------------------------------------------


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Differs]:
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            yield Differs(name, a.get(name, ABSENT), b.get(name, ABSENT))


def _recording(segment: Segment) -> Mapping[str, str]:
    losses = {f"dropped.{reason}": str(count) for reason, count in segment.dropped.items() if count}
    return {"recording": "whole" if segment.complete else "incomplete", **losses}


def _outcome(segment: Segment) -> Mapping[str, str]:
    return {"outcome": segment.entry.outcome} if segment.entry is not None else {}


def _environment(a: Cassette, b: Cassette) -> Mapping[str, tuple[str, str]]:
    was, now = _versions(a), _versions(b)
    names = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    return {name: (was.get(name, ABSENT), now.get(name, ABSENT)) for name in names}


def _versions(cassette: Cassette) -> Mapping[str, str]:
    """Of Python and of every package, joined where processes differ."""
    found: dict[str, dict[str, None]] = {}
    for process in (segment.process for segment in cassette.segments):
        for name, version in {"Python": process.python, **process.packages}.items():
            found.setdefault(name, {})[version] = None
    return {name: " and ".join(versions) for name, versions in found.items()}
