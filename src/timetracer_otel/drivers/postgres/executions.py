"""Many executions of one statement in one exchange (`executemany`), as if each were an exchange of its own.

`executions` of the request is a table of the bound values, one row for each; `executions` of the result says how many
rows each gave, and its tag: `[rows, tag, times]`. All their rows stand in one result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, repeat
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers.postgres.stand_ins import by_name, by_pattern, known_rule
from timetracer_otel.drivers.statements import rules_of_parameters
from timetracer_otel.redaction import Redactor
from timetracer_otel.wire.postgres.packed import PACKED, unpacked
from timetracer_otel.wire.postgres.recorded import MALFORMED_PAYLOAD

EXECUTIONS: Final = "executions"
EXECUTIONS_MAX: Final = 1 << 20
"""Without parameters they are a mere number in the cassette, and memory here."""
OF_THE_FIRST: Final = frozenset({"notices", "notifications"})
OF_THE_LAST: Final = frozenset({"error", "tx", "settings", "abandoned", "lost"})
SLOTS: Final = "request.executions.values["


# ---- apart -----------------------------------------------------------------------------------------------------------


def apart(exchange: Exchange) -> Sequence[Exchange]:
    """An exchange for each execution, in order; itself where it is no such thing, or not of the shape of one."""
    if EXECUTIONS not in exchange.request:
        return (exchange,)
    try:
        return list(_apart(exchange))
    except MALFORMED_PAYLOAD:
        return (exchange,)


def _apart(exchange: Exchange) -> Iterator[Exchange]:
    request: Mapping[str, Any] = exchange.request
    bound, formats = list(_rows(request[EXECUTIONS])), list(request[EXECUTIONS]["formats"])
    common = {key: value for key, value in request.items() if key != EXECUTIONS}
    redacted = tuple(path.replace(SLOTS, "request.parameters[") for path in exchange.redacted)
    answers, each_ns = _answers(exchange.result, len(bound)), max(1, exchange.duration_ns // max(1, len(bound)))
    for at, (values, answer) in enumerate(zip(bound, answers, strict=True)):
        asked = {**common, "parameters": values, "parameter_formats": formats} if values else common
        yield replace(
            exchange,
            id=f"{exchange.id}[{at}]",
            request=asked,
            result=answer,
            at_ns=exchange.at_ns + at * each_ns,  # one after the other, which is all that is known
            duration_ns=each_ns,
            redacted=redacted,
        )


def _rows(table: Mapping[str, Any]) -> Iterator[list[Any]]:
    count, values = int(table["rows"]), unpacked(table)["values"]
    if not 0 <= count <= EXECUTIONS_MAX or any(len(column) != count for column in values):
        raise ValueError("executions that do not fit their number")
    return (list(row) for row in zip(*values, strict=True)) if values else repeat([], count)


def _answers(result: Payload, count: int) -> Iterator[Payload]:
    if not result:  # nothing came, or it was not kept
        yield from repeat({}, count)
        return
    data: Mapping[str, Any] = result
    (table,) = data.get("results") or (None,)
    pieces = _pieces(None if table is None else unpacked(table), data[EXECUTIONS])
    for at in range(count):
        first = {key: value for key, value in data.items() if key in OF_THE_FIRST and at == 0}
        last = {key: value for key, value in data.items() if key in OF_THE_LAST and at == count - 1}
        piece = next(pieces)
        yield {**({} if piece is None else {"results": [piece]}), **first, **last}
    if any(True for _ in pieces):
        raise ValueError("answers to more executions than there were")


def _pieces(table: Mapping[str, Any] | None, runs: Sequence[Any]) -> Iterator[Mapping[str, Any] | None]:
    """The result of each execution; None for one that gave none, since it failed."""
    at = 0
    for rows, tag, times in runs:
        for _ in islice(repeat(None), min(int(times), EXECUTIONS_MAX)):
            ending = {} if tag is None else {"tag": tag}
            if table is not None and (rows or tag is not None):
                yield {**_slice(table, at, at + rows), **ending}
            else:
                yield ending or None
            at += rows


def _slice(table: Mapping[str, Any], start: int, end: int) -> Mapping[str, Any]:
    """Some rows, in wire form or in readable form."""
    kept = {key: value for key, value in table.items() if key not in ("tag", "rows", "values")}
    if "values" not in table:
        return {**kept, "rows": table["rows"][start:end]}
    return {**kept, "rows": end - start, "values": [column[start:end] for column in table["values"]]}


# ---- redaction -------------------------------------------------------------------------------------------------------


def mask_executions(request: Payload, statement: str, redactor: Redactor) -> tuple[Payload, tuple[str, ...]]:
    """The table of bound values without secrets, and the paths of what was masked."""
    table: Any = request[EXECUTIONS]
    rules = dict(rules_of_parameters(statement, redactor))
    if not rules and not redactor.has_places and PACKED in table and not _may_hide(table[PACKED], redactor):
        return table, ()
    types: Any = request.get("parameter_types", ())
    values = list(unpacked(table)["values"])
    masked = [
        _masked(column, rules.get(at) or _of_place(at, redactor), types[at], table["formats"][at], redactor)
        for at, column in enumerate(values)
    ]
    paths = tuple(f"{SLOTS}{at}]" for at, column in enumerate(values) if masked[at] != column)
    kept = {key: value for key, value in table.items() if key != PACKED}
    return ({**kept, "values": masked}, paths) if paths else (table, ())


def _may_hide(data: bytes, redactor: Redactor) -> bool:
    return bool(redactor.suspicious(data)) or any(secret in data for secret in redactor.known())


def _of_place(at: int, redactor: Redactor) -> str | None:
    return redactor.rule_at(f"request.parameters[{at}]") if redactor.has_places else None


def _masked(column: Sequence[Any], rule: str | None, oid: int, form: int, redactor: Redactor) -> list[Any]:
    if rule is not None:
        return [by_name(value, rule, oid, form, redactor) for value in column]
    return [_unless_known(by_pattern(value, oid, form, redactor), oid, form, redactor) for value in column]


def _unless_known(value: Any, oid: int, form: int, redactor: Redactor) -> Any:
    known = known_rule(value, redactor)
    return value if known is None else by_name(value, known, oid, form, redactor)
