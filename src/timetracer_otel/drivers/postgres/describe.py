"""What a statement and its rows say to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from timetracer_otel.cassette.escaping import words
from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.drivers.base import Bound, Description, Step, Table
from timetracer_otel.drivers.postgres.executions import EXECUTIONS
from timetracer_otel.wire.postgres.readable import readable, to_readable
from timetracer_otel.wire.postgres.statements import parts
from timetracer_otel.wire.postgres.transaction import Move, command

QUERY: Final = "db.query"
STEPS: Final[Mapping[Move, Step]] = {
    Move.BEGIN: "begin",
    Move.COMMIT: "commit",
    Move.ROLLBACK: "rollback",
    Move.SAVEPOINT: "savepoint",
    Move.RELEASE: "release",
    Move.ROLLBACK_TO: "rollback to",
}


class PostgresDescribing:
    """Rows of PostgreSQL's texts in place of columns of bytes."""

    def describe(self, exchange: Exchange) -> Description | None:
        if exchange.type != QUERY:
            return None
        statement = exchange.request.get("statement")
        return Description(
            text=statement if isinstance(statement, str) else "",
            values=_parameters(exchange),
            note=_times(exchange),
            outcome=_outcome(exchange),
            results=tuple(_results(exchange)) if isinstance(statement, str) else None,
            bounds=tuple(_bounds(statement)) if isinstance(statement, str) and "error" not in exchange.result else (),
        )

    def readable(self, exchange: Exchange) -> Exchange:
        return replace(exchange, result=to_readable(exchange.result)) if exchange.type == QUERY else exchange


def _times(exchange: Exchange) -> str:
    """How often it was executed with other values, where that is in one exchange."""
    count = _mapping(exchange.request.get(EXECUTIONS)).get("rows")
    return f"{count} executions" if isinstance(count, int) else ""


def _parameters(exchange: Exchange) -> Sequence[Value]:
    """Each as PostgreSQL's text where that gives the same bytes back."""
    values, request = _sequence(exchange.request.get("parameters")), exchange.request
    types, formats = (_sequence(request.get(f"parameter_{each}")) for each in ("types", "formats"))
    if not len(values) == len(types) == len(formats):
        return values
    return [_parameter(*each) for each in zip(types, formats, values, strict=True)]


def _parameter(oid: Value, code: Value, value: Value) -> Value:
    if isinstance(oid, int) and isinstance(code, int) and isinstance(value, bytes):
        return readable(oid, code, value)
    return value


def _bounds(statement: str) -> Iterator[Bound]:
    for each in parts(statement):
        moved = command(each)
        if moved is not None:
            yield Bound(STEPS[moved.move], moved.savepoint)


def _outcome(exchange: Exchange) -> str:
    error = _mapping(exchange.result.get("error"))
    if error:
        return f"{words(error.get('C', 'error'))}: {words(error.get('M', ''))}"
    results = [_mapping(result) for result in _sequence(exchange.result.get("results"))]
    if EXECUTIONS in exchange.result and not results:
        return "; ".join(map(words, _runs(exchange)))
    return "; ".join(_result(result) for result in results)


def _runs(exchange: Exchange) -> Iterator[str]:
    """Each tag, and how often it came."""
    for run in _sequence(exchange.result.get(EXECUTIONS)):
        if isinstance(run, (list, tuple)) and len(run) == 3:
            yield f"{run[1]}, {run[2]} times"


def _result(result: Mapping[str, Value]) -> str:
    rows = result.get("rows")
    if rows is None:
        return words(result.get("tag", ""))
    count = rows if isinstance(rows, int) else len(_sequence(rows))
    return f"{words(count)} row{'' if count == 1 else 's'}"


def _results(exchange: Exchange) -> Iterator[Table | str]:
    for side in (exchange.request, exchange.result):
        copy = _mapping(side.get("copy"))
        if copy:
            yield Table(("COPY",), [(piece,) for piece in _sequence(copy.get("data"))])
    for result in _sequence(exchange.result.get("results")):
        if isinstance(result, Mapping):
            yield _table(result) or words(result.get("tag", ""))


def _table(result: Mapping[str, Value]) -> Table | None:
    columns, rows = result.get("columns"), result.get("rows")
    if not isinstance(columns, (list, tuple)) or not isinstance(rows, (list, tuple)):
        return None
    names = [words(column.get("name")) if isinstance(column, Mapping) else "?" for column in columns]
    return Table(names, [row for row in rows if isinstance(row, (list, tuple))])


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Value) -> Sequence[Value]:
    return value if isinstance(value, (list, tuple)) else ()
