"""The types of a database: learnt from the answers that asyncpg gets about them, and given back in replay.

asyncpg asks once per connection for what it does not know yet, whichever trace runs then: its questions are no
exchanges, what it learns stands with the connection in every cassette.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from timetracer_otel.cassette.model import Connection, Payload, Value
from timetracer_otel.drivers.asyncpg.housework import Housework
from timetracer_otel.drivers.asyncpg.tracking import Operation
from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.containers import Array, array_from_binary, array_to_binary
from timetracer_otel.wire.postgres.responses import cells, response, spans

OID_ARRAY, TEXT_ARRAY = 1028, 1009
BINARY: Final = 1

TREE: Final = {
    "oid": oids.OID,
    "ns": oids.NAME,
    "name": oids.NAME,
    "kind": oids.CHAR,
    "basetype": oids.OID,
    "elemtype": oids.OID,
    "elemdelim": oids.CHAR,
    "range_subtype": oids.OID,
    "attrtypoids": OID_ARRAY,
    "attrnames": TEXT_ARRAY,
    "depth": oids.INT4,
    "basetype_name": oids.TEXT,
    "elemtype_name": oids.TEXT,
    "range_subtype_name": oids.TEXT,
}
"""Columns of the answer to what `Housework.CATALOGUE` asks, and their types."""
ONE: Final = {"oid": oids.OID, "elemtype": oids.OID, "kind": oids.CHAR}
"""Of `Housework.BY_NAME`."""
JIT: Final = {"cur": oids.TEXT, "new": oids.TEXT}
PSEUDO: Final = frozenset({2249, *range(2275, 2284)})
"""Numbers of `record`, `cstring`, `void` and their like."""
DEPENDS_ON: Final = ("basetype", "elemtype", "range_subtype", "attrtypoids")


@dataclass(frozen=True, slots=True)
class Learnt:
    types: Mapping[int, Payload] = field(default_factory=dict)
    """By number; without what is NULL."""
    names: Mapping[str, Payload] = field(default_factory=dict)
    """By `schema.name`; empty where the database has no such type."""


# ---- recording -------------------------------------------------------------------------------------------------------


def learnt(operation: Operation) -> Learnt | None:
    """What the answer to a question of asyncpg's says; None where it failed."""
    heard = response(b"".join(operation.heard))
    if heard.error is not None or not heard.results:
        return None
    columns = [column.name for column in operation.prepared.shape.columns or ()]
    pieces = heard.results[0].rows
    rows = [_read(columns, cells(piece[start:end])) for piece in pieces for _, start, end in spans(piece)]
    if operation.prepared.housework is Housework.CATALOGUE:
        return Learnt(types={row["oid"]: {k: v for k, v in row.items() if k != "depth"} for row in rows})
    name, schema = _bound(b"".join(operation.said))
    return Learnt(names={f"{schema}.{name}": rows[0] if rows else {}})


def _read(columns: Sequence[str], values: Sequence[bytes | None]) -> dict[str, Any]:
    types = {**TREE, **ONE}
    pairs = zip(columns, values, strict=True)
    return {name: _READ[types[name]](value) for name, value in pairs if value is not None and name in types}


def _bound(said: bytes) -> list[str]:
    """The values of the first Bind."""
    from timetracer_otel.wire.postgres.reader import FrontendReader
    from timetracer_otel.wire.postgres.requests import Bind

    bind = next(each for each in FrontendReader(is_started=True).receive(said) if isinstance(each, Bind))
    return [(value or b"").decode() for value in bind.values]


def _oid(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _array(read: Callable[[bytes], Any]) -> Callable[[bytes], list[Any]]:
    return lambda raw: [None if each is None else read(each) for each in array_from_binary(raw)[1].elements]


_READ: Final[Mapping[int, Callable[[bytes], Any]]] = {
    oids.OID: _oid,
    oids.INT4: _oid,
    oids.NAME: bytes.decode,
    oids.TEXT: bytes.decode,
    oids.CHAR: bytes.decode,
    OID_ARRAY: _array(_oid),
    TEXT_ARRAY: _array(bytes.decode),
}


# ---- replay ----------------------------------------------------------------------------------------------------------


class Catalogue:
    """Of the recorded connections of one database."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._types: dict[int, Payload] = dict(BUILT_IN)
        self._names: dict[str, Payload] = {}
        for connection in connections:
            for each in _mappings(connection.parameters.get("types")):
                if isinstance(oid := each.get("oid"), int):
                    self._types[oid] = each
            names: Any = connection.parameters.get("type_names")
            self._names.update(names if isinstance(names, Mapping) else {})

    def unknown(self, wanted: Iterable[int]) -> list[int]:
        """Those of which nothing was recorded."""
        return [oid for oid in wanted if oid not in self._types]

    def tree(self, wanted: Iterable[int]) -> list[list[bytes | None]]:
        """Rows about these types and all that they are made of, parts first."""
        depths: dict[int, int] = {}
        waiting = [(oid, 0) for oid in wanted]
        while waiting:
            oid, depth = waiting.pop()
            if oid in self._types and depths.get(oid, -1) < depth <= len(self._types):
                depths[oid] = depth
                waiting += [(part, depth + 1) for part in _parts(self._types[oid])]
        ordered = sorted(depths, key=lambda oid: -depths[oid])
        return [_write(TREE, {**self._types[oid], "depth": depths[oid]}) for oid in ordered]

    def by_name(self, name: str, schema: str) -> list[list[bytes | None]] | None:
        """One row, or none where there was no such type; None where nothing was recorded of that name."""
        known = self._names.get(f"{schema}.{name}")
        types = self._types.values()
        found = known or next((one for one in types if (one.get("ns"), one.get("name")) == (schema, name)), known)
        if not isinstance(found, Mapping):
            return None
        return [_write(ONE, found)] if found else []


def table(columns: Mapping[str, int], rows: Sequence[Sequence[bytes | None]]) -> Payload:
    """A result as a recording has it."""
    return {
        "columns": [{"name": name, "oid": oid} for name, oid in columns.items()],
        "formats": [BINARY] * len(columns),
        "rows": len(rows),
        "values": [[row[at] for row in rows] for at in range(len(columns))],
        "tag": f"SELECT {len(rows)}",
    }


def wanted(raw: bytes | None) -> list[int]:
    """The numbers in a bound `oid[]`. Raises Unconvertible."""
    return [_oid(each) for each in array_from_binary(raw or b"")[1].elements if each is not None]


def by_number(raw: bytes) -> list[list[bytes | None]]:
    """One row about a type that every server has, by its bound `oid`."""
    oid = _oid(raw)
    scalar: Payload = {"oid": oid, "elemtype": 0, "kind": "p" if oid in PSEUDO else "b"}
    return [_write(ONE, {**scalar, **BUILT_IN.get(oid, {})})]


def _mappings(types: Value) -> list[Mapping[str, Any]]:
    found: Any = types if isinstance(types, (list, tuple)) else ()
    return [each for each in found if isinstance(each, Mapping) and isinstance(each.get("oid"), int)]


def _parts(one: Payload) -> list[int]:
    found: list[Any] = []
    for name in DEPENDS_ON:
        part: Any = one.get(name)
        found += part if isinstance(part, (list, tuple)) else [part]
    return [part for part in found if isinstance(part, int) and part]


def _write(columns: Mapping[str, int], values: Payload) -> list[bytes | None]:
    return [None if values.get(name) is None else _written(oid, values[name]) for name, oid in columns.items()]


def _written(oid: int, value: Any) -> bytes:
    if oid in (OID_ARRAY, TEXT_ARRAY):
        values = value if isinstance(value, (list, tuple)) else ()
        element = oids.OID if oid == OID_ARRAY else oids.TEXT
        return array_to_binary(element, Array(((len(values), 1),), tuple(_written(element, each) for each in values)))
    return _packed(value) if isinstance(value, int) else str(value).encode()


def _packed(number: int) -> bytes:
    try:
        return struct.pack("!I", number)
    except struct.error:
        raise Unconvertible(f"type {number}: not a number of a type") from None


def _built_in(oid: int, kind: str, name: str, **others: Value) -> Payload:
    return {"oid": oid, "ns": "pg_catalog", "name": name, "kind": kind, **others}


BUILT_IN: Final[Mapping[int, Payload]] = {
    **{
        oid: _built_in(oid, "b", f"array_of_{element}", elemtype=element, elemdelim=",")
        for oid, element in oids.ARRAYS.items()
    },
    **{oid: _built_in(oid, "r", f"range_of_{part}", range_subtype=part) for oid, part in oids.RANGES.items()},
    **{
        oid: _built_in(oid, "m", f"multirange_of_{part}", range_subtype=oids.RANGES[part])
        for oid, part in oids.MULTIRANGES.items()
    },
}
"""What every server has and asyncpg asks about all the same."""
