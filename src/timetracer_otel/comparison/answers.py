"""Two answers value by value: what differs, as pairs of slots. What excuses a difference is decided by others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.comparison import tables
from timetracer_otel.comparison.noise import Noise, slot_of
from timetracer_otel.drivers.base import ABSENT, Slot
from timetracer_otel.drivers.pymongo.forms import REPLIES
from timetracer_otel.drivers.pymongo.questions import answer_slots
from timetracer_otel.errors import DamagedCassette

Slots: TypeAlias = tuple[Slot, Slot]

QUERY: Final = "db.query"
"""The one type whose answers have rows, whichever driver recorded them."""
COMMAND: Final = "db.command"
KEPT: Final = "kept"
_MISSING: Final = object()


def differing(a: Exchange, b: Exchange, noise: Noise) -> Iterator[Slots]:
    """Nothing if both answers say the same."""
    if (gone := (lost(a), lost(b))) != (None, None):
        if gone[0] != gone[1]:
            yield slot_of("answer", gone[0] or KEPT), slot_of("answer", gone[1] or KEPT)
    elif a.type == b.type == QUERY and a.result != b.result:
        yield from _rows(a, b, noise)
    elif a.type == b.type == COMMAND and a.result != b.result:
        yield from _replies(a, b)
    elif a.result != b.result:
        yield from walk("", a.result, b.result)


def _replies(a: Exchange, b: Exchange) -> Iterator[Slots]:
    try:
        was, now = ({slot.path: slot for slot in answer_slots(each)} for each in (a, b))
    except DamagedCassette:  # as above
        yield from walk("", a.result, b.result)
        return
    for path in dict.fromkeys([*was, *now]):
        left, right = (slots.get(path) or slot_of(path, ABSENT) for slots in (was, now))
        if left.key != right.key:
            yield left, right
    rest = ({name: value for name, value in each.result.items() if not name.startswith(REPLIES)} for each in (a, b))
    yield from walk("", *rest)


def _rows(a: Exchange, b: Exchange, noise: Noise) -> Iterator[Slots]:
    try:
        yield from tables.differing(a, b, noise)
    except DamagedCassette:  # of a shape that nobody can read: it is still data
        yield from walk("", a.result, b.result)


def walk(path: str, a: Value, b: Value) -> Iterator[Slots]:
    """Mappings by name in any order, lists by index."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            yield from _member(f"{path}.{name}" if path else name, a.get(name, _MISSING), b.get(name, _MISSING))
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        for index, (left, right) in enumerate(zip_longest(a, b, fillvalue=_MISSING)):
            yield from _member(f"{path}[{index}]", left, right)
    else:
        left, right = slot_of(path, a), slot_of(path, b)
        if left.key != right.key:
            yield left, right


def _member(path: str, a: object, b: object) -> Iterator[Slots]:
    yield from walk(path, *(ABSENT if each is _MISSING else each for each in (a, b)))  # type: ignore[arg-type]  # members of a Value


def lost(exchange: Exchange) -> str | None:
    """Why there is no answer to compare; None if there is one."""
    if exchange.dropped is not None:
        return f"not kept ({exchange.dropped.get('reason', 'dropped')!s})"
    return None if exchange.complete else "open: the recording ends before it"
