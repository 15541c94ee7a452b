"""What Describe says of a statement: from what was recorded of it, and from the statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.answers import Answer
from timetracer_otel.wire.postgres.messages import Column
from timetracer_otel.wire.postgres.recorded import Recorded, parameters, recorded
from timetracer_otel.wire.postgres.tokens import Kind, code

_BY_WIDTH: Final = (oids.INT2, oids.INT4, oids.INT8)
_CASTS: Final = {
    **{name.lower(): oid for name, oid in vars(oids).items() if name in {"BOOL", "BYTEA", "DATE", "INET", "INTERVAL"}},
    **{
        name.lower(): oid
        for name, oid in vars(oids).items()
        if name in {"INT2", "INT4", "INT8", "JSON", "JSONB", "OID"}
    },
    **{
        name.lower(): oid for name, oid in vars(oids).items() if name in {"FLOAT4", "FLOAT8", "NUMERIC", "TEXT", "UUID"}
    },
    **{
        name.lower(): oid for name, oid in vars(oids).items() if name in {"TIME", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"}
    },
    **{"bigint": oids.INT8, "boolean": oids.BOOL, "decimal": oids.NUMERIC, "int": oids.INT4, "integer": oids.INT4},
    **{"real": oids.FLOAT4, "smallint": oids.INT2},
}
"""Types of one word, as they stand after `$n::`."""
_ARRAY_OF: Final = {element: array for array, element in oids.ARRAYS.items()}


@dataclass(frozen=True, slots=True)
class Description:
    known_oids: tuple[int, ...]
    """Types of the parameters; 0 where neither the client nor the recording nor the statement names one."""
    columns: tuple[Column, ...] | None
    """None for a statement that gives no rows."""

    @property
    def parameter_oids(self) -> tuple[int, ...]:
        """What the client is told. Text is what the server takes for a parameter of which nothing is known."""
        return tuple(oid or oids.TEXT for oid in self.known_oids)


def describe(sql: str, declared: Sequence[int], shapes: Sequence[Answer]) -> Description:
    """`declared`: types that the client named itself, 0 for none. Raises DamagedCassette."""
    results = [recorded(shape.result) for shape in shapes]
    columns = next((table for result in results if (table := _columns(result)) is not None), None)
    return Description(_parameter_oids(sql, declared, shapes), columns)


def failed_to_parse(shapes: Sequence[Answer]) -> Answer | None:
    """The recorded exchange that says that the statement is wrong in itself, if every one of it failed.

    One that was prepared and then run was taken by the server: what failed, such as a right that is missing or a
    function that it calls, failed with its values.
    """
    wrong: Answer | None = None
    for shape in shapes:
        result = recorded(shape.result)
        if result.error is None or result.results or shape.request.get("prepared"):
            return None
        if wrong is None and result.error.get("C", "").startswith("42"):
            wrong = shape
    return wrong


def _columns(result: Recorded) -> tuple[Column, ...] | None:
    return next((one.table.columns for one in result.results if one.table is not None), None)


def _parameter_oids(sql: str, declared: Sequence[int], shapes: Sequence[Answer]) -> tuple[int, ...]:
    named_by_sql = casts(sql)
    recorded_oids = [tuple(parameter.oid for parameter in parameters(shape.request)) for shape in shapes]
    count = max((len(declared), *named_by_sql, *(len(types) for types in recorded_oids)), default=0)
    found: list[int] = []
    for at in range(count):
        named = declared[at] if at < len(declared) else 0
        seen = [types[at] for types in recorded_oids if at < len(types) and types[at]]
        found.append(named or _widest(seen) or named_by_sql.get(at + 1, 0))
    return tuple(found)


def _widest(seen: Sequence[int]) -> int:
    """A driver that sends integers by their value (psycopg) shows several widths of one parameter."""
    if seen and all(oid in _BY_WIDTH for oid in seen):
        return max(seen, key=_BY_WIDTH.index)
    return seen[0] if seen else 0


def casts(sql: str) -> dict[int, int]:
    """Types by parameter number that the statement names itself, as in `$1::int`; 0 where the word is not known."""
    found = code(sql)
    types: dict[int, int] = {}
    for at, token in enumerate(found):
        if token.kind is Kind.PARAMETER:
            is_cast = at + 2 < len(found) and found[at + 1].text == "::"
            named = _CASTS.get(found[at + 2].text.lower(), 0) if is_cast else 0
            if is_cast and at + 3 < len(found) and found[at + 3].text == "[":
                named = _ARRAY_OF.get(named, 0)
            number = int(token.text[1:])
            types[number] = types.get(number) or named
    return types
