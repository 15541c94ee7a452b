"""One look at a whole exchange that says it holds no secret: nearly all end here, and are not taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from timetracer_otel.cassette.model import Payload
from timetracer_otel.cassette.pieces import is_large
from timetracer_otel.drivers.postgres.stand_ins import BYTEA, PLAIN, Cell, octets, visible
from timetracer_otel.drivers.statements import SHAPES_MAX, is_open
from timetracer_otel.redaction import Redactor, rules_of_names
from timetracer_otel.wire.postgres.packed import PACKED

_SEEN: Final = frozenset({"results", "settings", "tx", "abandoned"})
"""Of a result: what is looked at here, and what holds nothing of the application's."""

LOOK_MAX_CELLS: Final = 1000
"""Joined for one look: a large answer is not in memory once more."""


def is_clean(request: Payload, result: Payload, statement: str, redactor: Redactor) -> bool:
    """False if something in the exchange may have to be masked; True is never wrong."""
    if redactor.has_places or "copy" in request or not _SEEN.issuperset(result) or not is_open(statement, redactor):
        return False
    found = seen(request)
    no_texts: list[Cell] = []
    for answer in cast("Sequence[Mapping[str, Any]]", result.get("results", ())):
        if "columns" in answer and not _collect(answer, found, no_texts, redactor):
            return False
    known = redactor.known()
    if known and any(cell and octets(cell) in known for cells in (found, no_texts) for cell in cells):
        return False
    return not suspicious(found, redactor)


def seen(request: Payload) -> list[Cell]:
    """The parameters as patterns see them."""
    values = list(cast("Sequence[Cell]", request.get("parameters", ())))
    types = cast("Sequence[int]", request.get("parameter_types", ()))
    if BYTEA not in types:
        return values
    return [visible([value], oid)[0] for value, oid in zip(values, types, strict=True)]


def _collect(answer: Mapping[str, Any], found: list[Cell], no_texts: list[Cell], redactor: Redactor) -> bool:
    """False if a column is secret by its name, or the rows are in readable form. Cells are to be looked at then."""
    columns = answer["columns"]
    if any(column_rules(tuple([column["name"] for column in columns]), redactor.rule_of)):
        return False
    if PACKED in answer:
        found.append(answer[PACKED])
        return not any(secret in answer[PACKED] for secret in redactor.known())
    if "values" not in answer:
        return False
    for column, cells in zip(columns, answer["values"], strict=False):
        oid = column["oid"]
        (no_texts if oid in PLAIN else found).extend(visible(cells, oid) if oid == BYTEA else cells)
    return True


@lru_cache(maxsize=SHAPES_MAX)
def column_rules(names: tuple[str, ...], rule_of: Callable[[str], str | None]) -> tuple[str | None, ...]:
    """For each column the rule that masks it because of its name."""
    beside = rules_of_names(names)
    return tuple(rule_of(name) or beside.get(name) for name in names)


def suspicious(values: Iterable[Cell], redactor: Redactor) -> bool:
    """One look at all of them: most hold nothing."""
    present: list[str | bytes] = list(filter(None, values))
    if is_large(sum(map(len, present))):  # large ones by themselves: joined they would be one more large copy
        if any(is_large(len(value)) and redactor.suspicious(value) for value in present):
            return True
        present = [value for value in present if not is_large(len(value))]
    looks = range(0, len(present), LOOK_MAX_CELLS)
    return any(_are_suspicious(present[at : at + LOOK_MAX_CELLS], redactor) for at in looks)


def _are_suspicious(present: Sequence[str | bytes], redactor: Redactor) -> bool:
    try:  # mostly all are text, or all are binary
        if type(present[0]) is bytes:
            return redactor.suspicious(b"\0".join(cast("Sequence[bytes]", present)))
        return redactor.suspicious("\0".join(cast("Sequence[str]", present)))
    except TypeError:
        texts = [value for value in present if type(value) is str]
        others = [value for value in present if type(value) is bytes]
        return redactor.suspicious(b"\0".join([octets("\0".join(texts)), *others]))
