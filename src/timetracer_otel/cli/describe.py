"""What an exchange says to people, by its type. `docs/cassette-format.md` has the payload of each type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from timetracer_otel.cassette import Exchange, Value
from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli.output import one_line
from timetracer_otel.wire.postgres.readable import readable

VALUE_MAX: Final = 40
VALUES_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Described:
    """One line each, safe to print."""

    call: str
    text: str
    values: str
    outcome: str


def describe(exchange: Exchange) -> Described:
    call = safe(f"{exchange.signature.lib} {exchange.signature.method}")
    text, values, outcome = _BY_TYPE.get(exchange.type, _any)(exchange)
    return Described(call, one_line(text), values, _state(exchange) or one_line(outcome))


def short(value: Value, limit: int = VALUE_MAX) -> str:
    """The value as Python writes it, cut after `limit` characters."""
    text = safe(repr(value))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def statement(exchange: Exchange) -> str | None:
    """The SQL of a database request, as it was sent."""
    found = exchange.request.get("statement")
    return found if isinstance(found, str) else None


def parameters(exchange: Exchange) -> Sequence[Value]:
    """Of a database request, each as PostgreSQL's text where that gives the same bytes back."""
    values, request = _sequence(exchange.request.get("parameters")), exchange.request
    types, formats = (_sequence(request.get(f"parameter_{each}")) for each in ("types", "formats"))
    if not len(values) == len(types) == len(formats):
        return values
    return [_parameter(*each) for each in zip(types, formats, values, strict=True)]


def _parameter(oid: Value, code: Value, value: Value) -> Value:
    if isinstance(oid, int) and isinstance(code, int) and isinstance(value, bytes):
        return readable(oid, code, value)
    return value


def traceback_of(exchange: Exchange) -> str | None:
    """The traceback of the exception that ended a request."""
    found = _mapping(exchange.result.get("exception")).get("traceback")
    return found if isinstance(found, str) else None


def _state(exchange: Exchange) -> str:
    if exchange.dropped is not None:
        return one_line(f"dropped: {exchange.dropped.get('reason')}")
    return "" if exchange.complete else "incomplete"


def _query(exchange: Exchange) -> tuple[str, str, str]:
    values = parameters(exchange)
    shown = ", ".join(short(value) for value in values[:VALUES_MAX])
    more = f", … {len(values)} in all" if len(values) > VALUES_MAX else ""
    return statement(exchange) or "", shown + more, _query_outcome(exchange)


def _query_outcome(exchange: Exchange) -> str:
    error = _mapping(exchange.result.get("error"))
    if error:
        return f"{error.get('C', 'error')}: {error.get('M', '')}"
    results = [_mapping(result) for result in _sequence(exchange.result.get("results"))]
    return "; ".join(_result(result) for result in results)


def _result(result: Mapping[str, Value]) -> str:
    rows = result.get("rows")
    if rows is None:
        return str(result.get("tag", ""))
    count = rows if isinstance(rows, int) else len(_sequence(rows))
    return f"{count} row{'' if count == 1 else 's'}"


def _http(exchange: Exchange) -> tuple[str, str, str]:
    request, result = exchange.request, exchange.result
    query = request.get("query_string")
    question = f"?{query.decode('latin-1')}" if isinstance(query, bytes) and query else ""
    size = request.get("body_size")
    status = "" if result.get("status") is None else str(result["status"])
    exception = _mapping(result.get("exception"))
    error = f"{exception.get('type')}: {exception.get('message')}".removeprefix("builtins.") if exception else ""
    path = f"{request.get('path', '')}{question}"
    return path, f"body of {size} bytes" if size else "", f"{status} {error}".strip()


def _any(exchange: Exchange) -> tuple[str, str, str]:
    error = exchange.result.get("error")
    return exchange.signature.url, "", "" if error is None else short(error, limit=200)


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Value) -> Sequence[Value]:
    return value if isinstance(value, (list, tuple)) else ()


_BY_TYPE: Final[Mapping[str, Callable[[Exchange], tuple[str, str, str]]]] = {"db.query": _query, "http.server": _http}
