"""Two answers of PostgreSQL: columns by name, rows by the values that they hold, fields of an error.

Neither the format (text or binary) of a value counts, nor which table a column came from: that number is another one in
every database.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.comparison.alignment import align, gaps
from timetracer_otel.comparison.noise import Noise, hidden, slot_of
from timetracer_otel.drivers.base import ABSENT, Slot
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.messages import Column
from timetracer_otel.wire.postgres.recorded import TEXT, Recorded, Table, octets, recorded
from timetracer_otel.wire.postgres.values import canonical, instant_ns, shown

Slots: TypeAlias = tuple[Slot, Slot]
Row: TypeAlias = Sequence[Slot]
Trait: TypeAlias = Callable[[Slot], Hashable]

ERROR_FIELDS: Final = {
    "C": "code",
    "M": "message",
    "D": "detail",
    "H": "hint",
    "P": "position",
    "W": "context",
    "s": "schema",
    "t": "table",
    "c": "column",
    "d": "type",
    "n": "constraint",
}
"""By their letters. File, line and routine of the server's source are left out, and so is the severity in words."""


def differing(one: Exchange, other: Exchange, noise: Noise) -> Iterator[Slots]:
    """Raises DamagedCassette."""
    a, b = one.result, other.result
    was, now = recorded(a), recorded(b)
    yield from _fields("error", was.error or {}, now.error or {})
    for index, (left, right) in enumerate(zip_longest(was.notices, now.notices, fillvalue=_NOTHING)):
        yield from _fields(f"notices[{index}]", left, right)
    if len(was.results) != len(now.results):
        yield slot_of("results", len(was.results)), slot_of("results", len(now.results))
    for index in range(min(len(was.results), len(now.results))):
        path = f"results[{index}]." if len(was.results) > 1 else ""
        yield from _result(path, _side(one, was, index), _side(other, now, index), noise)
    if a.get("tx") != b.get("tx"):
        yield slot_of("transaction afterwards", a.get("tx")), slot_of("transaction afterwards", b.get("tx"))


_NOTHING: Final[Mapping[str, str]] = {}


def _fields(path: str, a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Slots]:
    for letter, name in ERROR_FIELDS.items():
        if a.get(letter) != b.get(letter):
            yield _texts(f"{path}.{name}", a.get(letter), b.get(letter))


def _texts(path: str, a: Value, b: Value) -> Slots:
    return slot_of(path, ABSENT if a is None else a), slot_of(path, ABSENT if b is None else b)


@dataclass(frozen=True, slots=True)
class _Side:
    """One result of one of the two."""

    table: Table | None
    tag: str | None
    hidden: frozenset[int]
    """Columns in which redaction was."""


def _side(exchange: Exchange, answer: Recorded, index: int) -> _Side:
    found = (_COLUMN.fullmatch(path) for path in exchange.redacted)
    hidden = frozenset(int(match[2]) for match in found if match and int(match[1]) == index)
    return _Side(answer.results[index].table, answer.results[index].tag, hidden)


_COLUMN: Final = re.compile(r"result\.results\[(\d{1,9})\]\.values\[(\d{1,9})\]")


def _result(path: str, a: _Side, b: _Side, noise: Noise) -> Iterator[Slots]:
    if a.table is None or b.table is None:
        if a.tag != b.tag:
            yield _texts(f"{path}tag", a.tag, b.tag)
        return
    yield from _columns(path, a.table.columns, b.table.columns)
    if a.table.columns == b.table.columns and a.table.values == b.table.values and a.table.count == b.table.count:
        return
    both = set(_names(b.table))
    names = [name for name in _names(a.table) if name in both]
    if a.table.count != b.table.count:
        yield slot_of(f"{path}rows", a.table.count), slot_of(f"{path}rows", b.table.count)
    yield from _rows(path, _picked(a.table, names, a.hidden), _picked(b.table, names, b.hidden), noise)


def _columns(path: str, a: Sequence[Column], b: Sequence[Column]) -> Iterator[Slots]:
    was, now = [column.name for column in a], [column.name for column in b]
    if was != now:
        yield slot_of(f"{path}columns", was), slot_of(f"{path}columns", now)
        return
    for one, other in zip(a, b, strict=True):
        # The number of an own type is another one in every database.
        if one.oid != other.oid and max(one.oid, other.oid) < oids.FIRST_USER_OID:
            name = f"{path}columns.{one.name}.type"
            yield slot_of(name, one.oid), slot_of(name, other.oid)


# ---- rows ------------------------------------------------------------------------------------------------------------


def _names(table: Table) -> list[str]:
    """Of its columns; the second `id` of a join is `id#2`."""
    counted: Counter[str] = Counter()
    names = []
    for column in table.columns:
        counted[column.name] += 1
        count = counted[column.name]
        names.append(column.name if count == 1 else f"{column.name}#{count}")
    return names


def _picked(table: Table, names: Sequence[str], masked: frozenset[int]) -> list[Row]:
    """Its rows, of these columns alone."""
    places = {name: index for index, name in enumerate(_names(table))}
    columns = [_cells(name, table, places[name], places[name] in masked) for name in names]
    return list(zip(*columns, strict=True)) if columns else []


def _cells(name: str, table: Table, index: int, is_masked: bool) -> list[Slot]:
    oid, form = table.columns[index].oid, table.formats[index]
    cells = [_cell(name, oid, form, value) for value in table.values[index]]
    return list(map(hidden, cells)) if is_masked else cells


def _cell(name: str, oid: int, form: int, value: Value) -> Slot:
    raw = None if value is None else octets(value)
    form = TEXT if isinstance(value, str) else form  # of readable form, in a binary column
    readable = shown(oid, form, raw)
    return Slot(
        name,
        canonical(oid, form, raw),
        readable,
        readable if isinstance(readable, str) else None,
        instant_ns(oid, form, raw),
    )


def _rows(path: str, a: Sequence[Row], b: Sequence[Row], noise: Noise) -> Iterator[Slots]:
    was, now = [_traits(noise.trait_a, row) for row in a], [_traits(noise.trait_b, row) for row in b]
    if was != now and Counter(was) == Counter(now):
        yield slot_of(f"{path}rows", "in this order"), slot_of(f"{path}rows", "the same in another order")
        return
    pairs = align(was, now)
    for left, right in pairs:
        yield from _pair(f"{path}row[{left}]", a[left], b[right])
    for lefts, rights in gaps(pairs, len(a), len(b)):
        for one, other in zip_longest(lefts, rights):
            if one is None or other is None:
                yield _alone(path, None if one is None else a[one], None if other is None else b[other], one, other)
            else:
                yield from _pair(f"{path}row[{one}]", a[one], b[other])


def _traits(trait: Trait, row: Row) -> Hashable:
    return tuple(trait(slot) for slot in row)


def _pair(path: str, a: Row, b: Row) -> Iterator[Slots]:
    for left, right in zip(a, b, strict=True):
        if left.key != right.key:
            named = f"{path}.{left.path}"
            yield _named(named, left), _named(named, right)


def _named(path: str, slot: Slot) -> Slot:
    return Slot(path, slot.key, slot.shown, slot.text, slot.instant_ns)


def _alone(path: str, a: Row | None, b: Row | None, left: int | None, right: int | None) -> Slots:
    named = f"{path}row[{left if right is None else right}]"
    return slot_of(named, _values(a)), slot_of(named, _values(b))


def _values(row: Row | None) -> Value:
    return ABSENT if row is None else [slot.shown for slot in row]
