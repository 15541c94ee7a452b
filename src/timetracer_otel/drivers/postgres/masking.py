"""Secrets in an exchange with PostgreSQL: by column and parameter names, inside JSON, and by pattern in text.

What a statement's names decide is decided once per statement; values are looked at one by one only after one look at
all of them together said that something may be there. A type that holds no marker gets a stand-in of its own type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, TypeAlias, cast

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.postgres.clean import column_rules, is_clean, seen, suspicious
from timetracer_otel.drivers.postgres.copy_masking import mask_copy
from timetracer_otel.drivers.postgres.error_fields import mask_fields
from timetracer_otel.drivers.postgres.executions import EXECUTIONS, mask_executions
from timetracer_otel.drivers.postgres.stand_ins import (
    JSON,
    PLAIN,
    Cell,
    by_name,
    by_pattern,
    known_rule,
    octets,
    visible,
)
from timetracer_otel.drivers.statements import mask_statement, rules_of_parameters
from timetracer_otel.redaction import Redactor
from timetracer_otel.wire.postgres.packed import is_packed, unpacked

Paths: TypeAlias = tuple[str, ...]


def mask(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, Paths]:
    """The exchange without secrets, and the paths that hold a marker now; the same object when there is none."""
    if "failures" in encoded.result:
        return _of_connect(encoded, redactor)
    statement = str(encoded.request.get("statement", ""))
    if EXECUTIONS in encoded.request:
        return _of_many(encoded, statement, redactor)
    if is_clean(encoded.request, encoded.result, statement, redactor):
        return encoded, ()
    masked, found = mask_statement(statement, redactor)
    request, request_paths, hidden = _parameters(encoded.request, statement, redactor)
    request, copied_paths = _copy(request, "request", statement, redactor)
    if "copy" in request:  # an error of COPY repeats what stands in its data
        hidden = {**hidden, **{_text(secret): _text(marker) for secret, marker in redactor.known().items()}}
    result, result_paths = _result(encoded.result, {**found, **hidden}, redactor)
    result, given_paths = _copy(result, "result", statement, redactor)
    request_paths, result_paths = (*request_paths, *copied_paths), (*result_paths, *given_paths)
    if masked != statement:
        request = {**request, "statement": masked}
        request_paths = ("request.statement", *request_paths)
    paths = (*request_paths, *result_paths)
    return (replace(encoded, request=request, result=result), paths) if paths else (encoded, ())


def _of_many(encoded: Encoded, statement: str, redactor: Redactor) -> tuple[Encoded, Paths]:
    """First the values of all executions: what is secret in them may come back in their rows."""
    executions, bound_paths = mask_executions(encoded.request, statement, redactor)
    others = {key: value for key, value in encoded.request.items() if key != EXECUTIONS}
    masked, paths = mask(replace(encoded, request=others), redactor)
    if not bound_paths and not paths:
        return encoded, ()
    return replace(masked, request={**masked.request, EXECUTIONS: executions}), (*bound_paths, *paths)


def _of_connect(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, Paths]:
    failures = cast("Sequence[Payload]", encoded.result["failures"])
    masked = [_failure(each, redactor) for each in failures]
    paths = tuple(
        f"result.failures[{at}].{name}"
        for at, each in enumerate(failures)
        for name in each
        if masked[at][name] != each[name]
    )
    return (replace(encoded, result={"failures": masked}), paths) if paths else (encoded, ())


def _failure(failure: Payload, redactor: Redactor) -> Payload:
    """Texts of drivers may repeat a DSN."""
    texts = {name: redactor.text(value) for name, value in failure.items() if isinstance(value, str)}
    fields = failure.get("error")
    said = {"error": mask_fields(cast("Mapping[str, str]", fields), {}, redactor)} if fields else {}
    return {**failure, **texts, **said}


# ---- parameters ------------------------------------------------------------------------------------------------------


def _parameters(request: Payload, sql: str, redactor: Redactor) -> tuple[Payload, Paths, Mapping[str, str]]:
    values = cast("Sequence[Cell]", request.get("parameters", ()))
    if not values:
        return request, (), {}
    rules = rules_of_parameters(sql, redactor)
    oids, formats = (
        cast("Sequence[int]", request["parameter_types"]),
        cast("Sequence[int]", request["parameter_formats"]),
    )
    is_suspicious = suspicious(seen(request), redactor)
    if redactor.has_places:
        rules = _with_places(rules, len(values), redactor)
    masked, hidden = list(values), {}
    for index, value in enumerate(values):
        rule = rules.get(index) or known_rule(value, redactor)
        if rule is not None:
            masked[index] = by_name(value, rule, oids[index], formats[index], redactor)
            if isinstance(value, str) and isinstance(masked[index], str):
                hidden[value] = str(masked[index])
        elif is_suspicious:
            masked[index] = by_pattern(value, oids[index], formats[index], redactor)
    paths = tuple(f"request.parameters[{index}]" for index, value in enumerate(values) if masked[index] != value)
    return ({**request, "parameters": masked} if paths else request), paths, hidden


def _with_places(rules: Mapping[int, str], count: int, redactor: Redactor) -> Mapping[int, str]:
    found = {index: redactor.rule_at(f"request.parameters[{index}]") for index in range(count)}
    return {**{index: rule for index, rule in found.items() if rule is not None}, **rules}


def _copy(payload: Payload, path: str, sql: str, redactor: Redactor) -> tuple[Payload, Paths]:
    copy = payload.get("copy")
    if not isinstance(copy, Mapping):
        return payload, ()
    masked, paths = mask_copy(copy, sql, f"{path}.copy", redactor)
    return ({**payload, "copy": masked} if paths else payload), paths


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# ---- results ---------------------------------------------------------------------------------------------------------


def _result(result: Payload, hidden: Mapping[str, str], redactor: Redactor) -> tuple[Payload, Paths]:
    changed: dict[str, Value] = {}
    paths: list[str] = []
    answers = cast("Sequence[Payload]", result.get("results", ()))
    masked = [_answer(answer, f"result.results[{at}]", redactor, paths) for at, answer in enumerate(answers)]
    if paths:
        changed["results"] = masked
    if "notifications" in result:
        told = cast("Sequence[Mapping[str, Any]]", result["notifications"])
        cleaned_ones = [{**each, "payload": _payload(each["payload"], redactor)} for each in told]
        if touched := [at for at, each in enumerate(told) if cleaned_ones[at] != each]:
            changed["notifications"] = cleaned_ones
            paths += [f"result.notifications[{at}].payload" for at in touched]
    for name, fields in _diagnostics(result):
        cleaned = mask_fields(fields, hidden, redactor)
        if cleaned != fields:
            paths.append(f"result.{name}")
            _put(changed, result, name, cleaned)
    return ({**result, **changed} if changed else result), tuple(paths)


def _payload(payload: str, redactor: Redactor) -> Cell:
    """Of a notification: often JSON, whose names count."""
    return by_pattern(payload, JSON if payload.startswith(("{", "[")) else 0, 0, redactor)


def _diagnostics(result: Payload) -> Iterable[tuple[str, Mapping[str, str]]]:
    if "error" in result:
        yield "error", cast("Mapping[str, str]", result["error"])
    for at, notice in enumerate(cast("Sequence[Mapping[str, str]]", result.get("notices", ()))):
        yield f"notices[{at}]", notice


def _put(changed: dict[str, Value], result: Payload, name: str, fields: Mapping[str, str]) -> None:
    if name == "error":
        changed["error"] = fields
        return
    notices = list(cast("Sequence[Value]", changed.get("notices", result["notices"])))
    notices[int(name[len("notices[") : -1])] = fields
    changed["notices"] = notices


def _answer(answer: Payload, path: str, redactor: Redactor, paths: list[str]) -> Payload:
    """One result in wire form (`values`, by column) or in readable form (`rows`, by row)."""
    if "columns" not in answer:
        return answer
    if is_packed(answer):
        return _packed(answer, path, redactor, paths)
    is_readable = "values" not in answer
    table: Any = list(zip(*cast(Any, answer["rows"]), strict=True)) if is_readable else answer["values"]
    columns = cast("Sequence[Mapping[str, Any]]", answer["columns"])
    rules = column_rules(tuple([column["name"] for column in columns]), redactor.rule_of)
    if redactor.has_places:
        rules = tuple(rule or redactor.rule_at(f"{path}.values[{at}]") for at, rule in enumerate(rules))
    if not any(rules) and not _is_any_known(table, redactor) and not _is_any_suspicious(table, columns, redactor):
        return answer
    masked = list(table)
    for at, (cells, column, form) in enumerate(zip(table, columns, cast(Any, answer["formats"]), strict=False)):
        masked[at] = _column(cells, rules[at], column["oid"], 0 if is_readable else form, redactor)
        if masked[at] is not cells:
            paths.append(f"{path}.values[{at}]")
    if all(new is old for new, old in zip(masked, table, strict=True)):
        return answer
    return (
        {**answer, "rows": [list(row) for row in zip(*masked, strict=True)]}
        if is_readable
        else {**answer, "values": masked}
    )


def _packed(answer: Payload, path: str, redactor: Redactor, paths: list[str]) -> Payload:
    """Rows in one piece stay in one unless something in them may have to be masked."""
    columns, data = cast("Sequence[Mapping[str, Any]]", answer["columns"]), cast("bytes", answer["data"])
    names = tuple([column["name"] for column in columns])
    has_no_rule = not any(column_rules(names, redactor.rule_of)) and not redactor.has_places
    if has_no_rule and not redactor.suspicious(data) and not any(secret in data for secret in redactor.known()):
        return answer
    found = len(paths)
    masked = _answer(unpacked(answer), path, redactor, paths)
    return masked if len(paths) > found else answer


def _is_any_known(table: Iterable[Iterable[Cell]], redactor: Redactor) -> bool:
    """A cell is a secret that was masked in this trace before."""
    known = redactor.known()
    return bool(known) and any(cell and octets(cell) in known for cells in table for cell in cells)


def _is_any_suspicious(table: Any, columns: Sequence[Mapping[str, Any]], redactor: Redactor) -> bool:
    """One look at all cells that can hold a pattern: most answers hold none."""
    open_to_patterns = [
        visible(cells, column["oid"])
        for cells, column in zip(table, columns, strict=False)
        if column["oid"] not in PLAIN
    ]
    return bool(open_to_patterns) and suspicious(chain.from_iterable(open_to_patterns), redactor)


def _column(cells: Sequence[Cell], rule: str | None, oid: int, form: int, redactor: Redactor) -> Sequence[Cell]:
    if rule is not None:
        masked = [by_name(cell, rule, oid, form, redactor) for cell in cells]
    elif oid not in PLAIN and suspicious(visible(cells, oid), redactor):
        masked = [by_pattern(cell, oid, form, redactor) for cell in cells]
    else:
        masked = list(cells)
    if _is_any_known((masked,), redactor):
        masked = [_unless_known(cell, oid, form, redactor) for cell in masked]
    return cells if masked == list(cells) else masked


def _unless_known(cell: Cell, oid: int, form: int, redactor: Redactor) -> Cell:
    rule = known_rule(cell, redactor)
    return cell if rule is None else by_name(cell, rule, oid, form, redactor)
