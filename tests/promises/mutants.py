"""Cassettes in which one value was changed: a replay of the unchanged app must notice each of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from timetracer_otel.cassette import Cassette, Exchange, Segment

Change = Callable[[Exchange], "Exchange | None"]
"""None: it is taken out."""
WORDS = (("SELECT", "SELECT DISTINCT"), ("UPDATE", "UPDATE ONLY"), ("INSERT INTO payments", "INSERT INTO refunds"))
COMMANDS = (("COMMIT", "ROLLBACK"), ("BEGIN", "BEGIN READ ONLY"))


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    exchange: str
    change: Change

    def of(self, cassette: Cassette) -> Cassette:
        (segment,) = cassette.segments
        tried = [self.change(each) if each.id == self.exchange else each for each in segment.exchanges]
        changed = tuple(each for each in tried if each is not None)
        assert changed != segment.exchanges, f"{self.name} changes nothing"
        return replace(cassette, segments=(replace(segment, exchanges=changed),))


def queries(segment: Segment) -> list[Exchange]:
    return [each for each in segment.exchanges if each.type == "db.query"]


def entry(segment: Segment) -> Exchange:
    (found,) = [each for each in segment.exchanges if each.type == "http.server"]
    return found


# ---- requests --------------------------------------------------------------------------------------------------------


def of_requests(segment: Segment) -> Iterator[Mutant]:
    """Each parameter, and words of each statement."""
    for exchange in queries(segment):
        statement = str(exchange.request["statement"])
        for index in range(len(_list(exchange.request.get("parameters")))):
            yield Mutant(f"{_verb(statement)} {exchange.id} parameters[{index}]", exchange.id, _other_parameter(index))
        for old, new in (*WORDS, *COMMANDS):
            if statement.startswith(old):
                yield Mutant(f"{exchange.id} {old} -> {new}", exchange.id, _other_statement(old, new))
                break


def without(segment: Segment) -> Iterator[Mutant]:
    """A request less, for each that the driver does not make up."""
    for exchange in queries(segment):
        if (statement := str(exchange.request["statement"])) != "BEGIN":
            yield Mutant(f"without {exchange.id} {statement}", exchange.id, lambda each: None)


def of_errors(segment: Segment) -> Iterator[tuple[Mutant, str]]:
    """Each with the only path at which it must be found."""
    (failed,) = [each for each in queries(segment) if "error" in each.result]
    for field, value, path in (("C", "22003", "exception.type"), ("M", "division by 0", "exception.message")):
        yield Mutant(f"error {field}", failed.id, _other_error(field, value)), path


def _other_error(field: str, value: str) -> Change:
    def change(exchange: Exchange) -> Exchange:
        error: Any = exchange.result["error"]
        return _with_result(exchange, error={**error, field: value})

    return change


def parameter(exchange: Exchange, index: int, value: Any) -> Mutant:
    """Another value for one parameter."""
    return Mutant(f"{exchange.id} parameters[{index}] = {value!r}", exchange.id, _parameter(index, value))


def _other_parameter(index: int) -> Change:
    return lambda exchange: _parameter(index, other(_list(exchange.request["parameters"])[index]))(exchange)


def _parameter(index: int, value: Any) -> Change:
    def change(exchange: Exchange) -> Exchange:
        values = _list(exchange.request["parameters"])
        values[index] = value
        return replace(exchange, request={**exchange.request, "parameters": values})

    return change


def _other_statement(old: str, new: str) -> Change:
    def change(exchange: Exchange) -> Exchange:
        statement = str(exchange.request["statement"]).replace(old, new, 1)
        return replace(exchange, request={**exchange.request, "statement": statement})

    return change


def other(value: Any) -> Any:
    """Another value of the same type and length: in wire form, text or binary."""
    if value is None:
        return "1"
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if value in ("t", "f"):
        return "f" if value == "t" else "t"
    found = list(re.finditer(r"[A-Za-z0-9]", value))[-1]
    return value[: found.start()] + _other_character(found[0]) + value[found.end() :]


def _other_character(character: str) -> str:
    if character.isdigit():
        return str((int(character) + 1) % 10)
    return "b" if character in "aA" else "a"


def _list(value: Any) -> list[Any]:
    return list(value or ())


def _verb(statement: str) -> str:
    return statement.split(maxsplit=1)[0]


# ---- responses -------------------------------------------------------------------------------------------------------


def of_response(segment: Segment) -> Iterator[tuple[Mutant, str]]:
    """Each with the only path at which it must be found: the recorded status, a header, each leaf of the body."""
    recorded = entry(segment)
    yield Mutant("status", recorded.id, lambda each: _with_result(each, status=202)), "status"
    yield Mutant("x-moved", recorded.id, _other_header(b"x-moved")), "headers.x-moved"
    yield Mutant("location", recorded.id, _other_header(b"location")), "headers.location"
    for path, _ in leaves(_body(recorded)):
        yield Mutant(f"body {path}", recorded.id, _other_leaf(path)), _shown(path)


def _with_result(exchange: Exchange, **fields: Any) -> Exchange:
    return replace(exchange, result={**exchange.result, **fields})


def _other_header(name: bytes) -> Change:
    def change(exchange: Exchange) -> Exchange:
        pairs: Any = exchange.result["headers"]
        headers = [[key, value[:-1] + b"9" if key == name else value] for key, value in pairs]
        return _with_result(exchange, headers=headers)

    return change


def _body(exchange: Exchange) -> Any:
    chunks: Any = exchange.result["body"]
    return json.loads(b"".join(data for _, data in chunks))


Path = tuple["str | int", ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    children: Sequence[tuple[Any, Any]]
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    else:
        yield path, value
        return
    for key, child in children:
        yield from leaves(child, (*path, key))


def _shown(path: Path) -> str:
    return "body.$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _other_leaf(path: Path) -> Change:
    def change(exchange: Exchange) -> Exchange:
        body = _body(exchange)
        parent = body
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = _other_json(parent[path[-1]])
        return _with_result(exchange, body=[[0, json.dumps(body).encode()]])

    return change


def _other_json(value: Any) -> Any:
    if value is None:
        return False
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, (int, float)) else f"{value}?"


# ---- answers ---------------------------------------------------------------------------------------------------------


def of_answers(segment: Segment, shown: Mapping[tuple[str, str, int], str]) -> Iterator[tuple[Mutant, str]]:
    """Values of recorded rows. `shown`: beginning of the statement, column and row -> where the response shows it."""
    for (beginning, column, row), path in shown.items():
        exchange = next(each for each in queries(segment) if str(each.request["statement"]).startswith(beginning))
        yield Mutant(f"{beginning} {column} of row {row}", exchange.id, _other_cell(column, row)), path


def _other_cell(column: str, row: int) -> Change:
    def change(exchange: Exchange) -> Exchange:
        (answer, *rest) = _list(exchange.result["results"])
        number = [each["name"] for each in answer["columns"]].index(column)
        columns = [list(values) for values in answer["values"]]
        columns[number][row] = other(columns[number][row])
        return _with_result(exchange, results=[{**answer, "values": columns}, *rest])

    return change
