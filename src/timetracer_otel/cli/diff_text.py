"""What `diff` says to people: plain text, a block for each thing to look at, the verdict at the end.

Whatever comes from a cassette is printed with its control characters escaped, shortened where it is long; nothing is
left out without being counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from timetracer_otel.cassette import Cassette, Segment, Value
from timetracer_otel.cassette.escaping import safe, shown
from timetracer_otel.cli.output import one_line
from timetracer_otel.comparison import ABSENT, Diff, Differs, Ignored, Item, Only, SegmentDiff, Two, name_of

TEXT_MAX: Final = 1_000
VALUE_MAX: Final = 200
LISTED_MAX: Final = 50
CALLS_MAX: Final = 3
"""Calls of one statement whose values are named."""
ID_CHARACTERS: Final = 8

T = TypeVar("T")
Block = list[str]


def render(diff: Diff) -> str:
    """Ends with a newline."""
    blocks = [
        _environment(diff.environment),
        *(block for each in diff.segments for block in _segments(each, has_head=len(diff.segments) > 1)),
        *(_unpaired("A", each) for each in diff.unpaired_a),
        *(_unpaired("B", each) for each in diff.unpaired_b),
        [_verdict(diff)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _environment(differs: Mapping[str, tuple[str, str]]) -> Block:
    versions = [f"{name} {was} → {now}" for name, (was, now) in list(differs.items())[:LISTED_MAX]]
    more = [f"{len(differs) - LISTED_MAX} more"] if len(differs) > LISTED_MAX else []
    return [safe(f"environment (A → B): {', '.join([*versions, *more])}")] if differs else []


def _unpaired(side: str, segment: Segment) -> Block:
    return [safe(f"segment only in {side}  {segment.name}  {name_of(segment)}").rstrip()]


def _segments(each: SegmentDiff, has_head: bool) -> Iterator[Block]:
    if has_head:
        yield [f"segment  {_names(each)}{'   the same' if each.is_same else ''}"]
    yield _differences("recorded otherwise", each.recording)
    yield _differences("entry asked otherwise", each.asked)
    yield _differences("outcome differs", each.outcome)
    yield from _listed(each.requests, _two, "differing requests")
    yield from _listed(each.only_a, lambda only: _only("A", only), "statements only in A")
    yield from _listed(each.only_b, lambda only: _only("B", only), "statements only in B")
    yield _ignored(each.ignored)


def _names(each: SegmentDiff) -> str:
    a, b = name_of(each.a), name_of(each.b)
    return safe(f"A {each.a.name}  B {each.b.name}  {a if a == b else f'{a} → {b}'}").rstrip()


def _listed(found: Sequence[T], block: Callable[[T], Block], what: str) -> Iterator[Block]:
    yield from map(block, found[:LISTED_MAX])
    if len(found) > LISTED_MAX:
        yield [f"and {len(found) - LISTED_MAX} more {what}; --json has all"]


def _differences(title: str, found: Sequence[Differs]) -> Block:
    return [title, *(f"  {line}" for line in _lines(found))] if found else []


def _lines(found: Sequence[Differs]) -> Block:
    lines = [f"{safe(each.path)}: A {_value(each.a)}, B {_value(each.b)}" for each in found[:LISTED_MAX]]
    return [*lines, *([f"and {len(found) - LISTED_MAX} more; --json has all"] if len(found) > LISTED_MAX else [])]


# ---- requests --------------------------------------------------------------------------------------------------------


def _two(two: Two) -> Block:
    lines = [f"  request   {line}" for line in _lines(two.request)]
    lines += [f"  answer    {line}" for line in _lines(two.answer)]
    if two.is_moved:
        lines.append(f"  order     request {two.a.number} in A, request {two.b.number} in B")
    # Where values differ, they stand below.
    values = "" if two.request else _values(two.a)
    return [
        f"{_title(two)}  {_statement(two.a)}{values}",
        f"  exchange  A {safe(two.a.exchange.id)}, B {safe(two.b.exchange.id)}",
        *lines,
    ]


def _title(two: Two) -> str:
    if not two.request and not two.answer:
        return "in another order"
    return "request differs" if two.request else "answer differs"


def _only(side: str, only: Only) -> Block:
    calls, first = len(only.calls), only.calls[0]
    if calls == 1 and 0 in (only.in_a, only.in_b):
        return [f"only in {side}  {_statement(first)}{_values(first)}   exchange {safe(first.exchange.id)}"]
    named = [_call(item) for item in only.calls[:CALLS_MAX]]
    more = [f"and {calls - CALLS_MAX} more; --json has all"] if calls > CALLS_MAX else []
    return [
        f"only in {side}  {_statement(first)}",
        f"  calls     A {only.in_a}, B {only.in_b}",
        *(f"  call      {line}" for line in named),
        *(f"  {line}" for line in more),
    ]


def _call(item: Item) -> str:
    return f"{_values(item).strip()}   exchange {safe(item.exchange.id)}".strip()


def _statement(item: Item) -> str:
    text = one_line(item.question.text)
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}… ({len(text)} characters)"


def _values(item: Item) -> str:
    slots = item.question.slots
    printed = ", ".join(_value(slot.shown) for slot in slots[:LISTED_MAX])
    more = f", … {len(slots)} in all" if len(slots) > LISTED_MAX else ""
    return f"   ({printed}{',' if len(slots) == 1 else ''}{more})" if slots else ""


# ---- the rest --------------------------------------------------------------------------------------------------------


def _ignored(found: Sequence[Ignored]) -> Block:
    lines = [_ignored_line(each) for each in found[:LISTED_MAX]]
    more = [f"and {len(found) - LISTED_MAX} more; --json has all"] if len(found) > LISTED_MAX else []
    return ["ignored", *(f"  {line}" for line in [*lines, *more])] if found else []


def _ignored_line(each: Ignored) -> str:
    where = "" if each.exchanges is None else f"exchanges A {each.exchanges[0]}, B {each.exchanges[1]}: "
    return f"{safe(where)}{safe(each.path)}: {safe(each.reason)}"


def _verdict(diff: Diff) -> str:
    found = ", ".join(_counted(number, *words) for number, words in _counts(diff.segments, diff) if number)
    verdict = "same" if diff.is_same else "different"
    return safe(f"{verdict}  A {_name(diff.a)}  B {_name(diff.b)}{f': {found}' if found else ''}")


def _name(cassette: Cassette) -> str:
    """With the entry, if there is one alone."""
    if len(cassette.segments) != 1:
        return cassette.trace_id[:ID_CHARACTERS]
    segment = cassette.segments[0]
    return f"{segment.name} {name_of(segment)}".rstrip()


def _counts(segments: Sequence[SegmentDiff], diff: Diff) -> Iterator[tuple[int, tuple[str, str]]]:
    if diff.is_same:
        yield sum(each.same_requests for each in segments), ("request", "requests")
        return
    twos = [two for each in segments for two in each.requests]
    moved = [two for two in twos if two.is_moved and not (two.request or two.answer)]
    yield sum(len(each.recording) for each in segments), ("difference of the recording", "differences of the recording")
    yield sum(len(each.asked) for each in segments), ("difference of what was asked", "differences of what was asked")
    yield sum(len(each.outcome) for each in segments), ("difference of the outcome", "differences of the outcome")
    yield sum(bool(two.request) for two in twos), ("request differs", "requests differ")
    yield sum(bool(two.answer) for two in twos), ("answer differs", "answers differ")
    yield len(moved), ("request in another order", "requests in another order")
    yield _calls(only for each in segments for only in each.only_a), ("request only in A", "requests only in A")
    yield _calls(only for each in segments for only in each.only_b), ("request only in B", "requests only in B")
    yield len(diff.unpaired_a), ("segment only in A", "segments only in A")
    yield len(diff.unpaired_b), ("segment only in B", "segments only in B")


def _calls(found: Iterable[Only]) -> int:
    return sum(len(only.calls) for only in found)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _value(value: Value) -> str:
    text = safe(ABSENT if value == ABSENT else shown(value))
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}… ({len(text)} characters)"
