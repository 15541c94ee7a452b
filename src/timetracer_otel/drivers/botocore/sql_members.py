"""Secrets in SQL that goes to a service: literals, parameters, and the columns of what comes back.

Source: RDS Data API, Redshift Data API, Athena, Timestream, PartiQL of DynamoDB, S3 Select, CloudTrail Lake.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.statements import mask_statement, rules_of_parameters
from timetracer_otel.redaction import Redactor
from timetracer_otel.wire.postgres.tokens import Kind, Token, code

STATEMENTS: Final[Mapping[str, frozenset[str]]] = {
    "rds-data": frozenset({"sql", "sqlStatements"}),
    "redshift-data": frozenset({"Sql", "Sqls"}),
    "athena": frozenset({"QueryString", "QueryStatement"}),
    "timestream-query": frozenset({"QueryString"}),
    "dynamodb": frozenset({"Statement"}),
    "s3": frozenset({"Expression"}),
    "cloudtrail": frozenset({"QueryStatement"}),
}
"""Members that are SQL, or lists of it."""
NAMED: Final = ("parameters", "Parameters")
"""Members with `name` and `value` for each `:name` of a statement."""
SETS: Final = "parameterSets"
PLACED: Final = "ExecutionParameters"
COLUMNS: Final = ("columnMetadata", "ColumnMetadata", "ColumnInfo")
METADATA: Final = "ResultSetMetadata"
"""Where Athena has its columns."""
ROWS: Final = ("records", "Records", "Rows")
MEMBER: Final = re.compile(r"('(?:[^']|'')*')(\s*:\s*)('(?:[^']|'')*')")
"""Of a value of PartiQL: `{'password': 'x'}`."""
LISTS: Final = frozenset({"SELECT", "RETURNING"})
LIST_ENDS: Final = frozenset({"FROM", "INTO", "WHERE", "UNION", ";"})

Rules = Mapping[tuple[int, str], str]
"""As `told_secrets` has them: by the mapping or list, and the member."""


def mask_statements(params: Payload, service: str, path: str, redactor: Redactor) -> tuple[Payload, tuple[str, ...]]:
    """Parameters with the literals masked that stand for a secret column, and where."""
    names = STATEMENTS.get(service, frozenset())
    paths: list[str] = []

    def masked(name: str, value: Value, where: str) -> Value:
        if isinstance(value, Mapping):
            return {key: masked(key, each, f"{where}.{key}") for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [masked(name, each, f"{where}[{index}]") for index, each in enumerate(value)]
        if name not in names or not isinstance(value, str):
            return value
        text = _masked(value, redactor)
        if text != value:
            paths.append(where)
        return text

    found = {name: masked(name, value, f"{path}.{name}") for name, value in params.items()} if names else {}
    return (found, tuple(paths)) if paths else (params, ())


def _masked(sql: str, redactor: Redactor) -> str:
    def member(found: re.Match[str]) -> str:
        rule = redactor.rule_of(found[1][1:-1])
        literal = found[3][1:-1].replace("''", "'")
        return found[0] if rule is None or not literal else f"{found[1]}{found[2]}'{redactor.marker(rule, literal)}'"

    return mask_statement(MEMBER.sub(member, sql), redactor)[0]


# ---- parameters ------------------------------------------------------------------------------------------------------


def rules_of(params: Value, service: str, redactor: Redactor) -> Rules:
    """Of the parameters of a statement, by what it does with them."""
    if service not in STATEMENTS or not isinstance(params, Mapping):
        return {}
    statements = [text for name in STATEMENTS[service] for text in _texts(params.get(name))]
    rules = {name: rule for sql in statements for name, rule in _by_placeholder(sql, redactor).items()}
    named = ((each, rules.get(str(each.get("name")))) for each in _named(params))
    found = {(id(each), "value"): rule for each, rule in named if rule is not None}
    placed = params.get(PLACED)
    return {**found, **{(id(placed), name): rule for name, rule in rules.items() if isinstance(placed, (list, tuple))}}


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        yield from (each for each in value if isinstance(each, str))


def _named(params: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
    sets = params.get(SETS)
    lists = [params.get(name) for name in NAMED] + (list(sets) if isinstance(sets, (list, tuple)) else [])
    for each in lists:
        if isinstance(each, (list, tuple)):
            yield from (found for found in each if isinstance(found, Mapping))


def _by_placeholder(sql: str, redactor: Redactor) -> dict[str, str]:
    """The rules of `:name`, and of `?` by its place."""
    names: list[str] = []
    pieces: list[str] = []
    waiting = deque(code(sql))
    while waiting:
        token = waiting.popleft()
        name = _placeholder(token, waiting, len(names))
        if name is not None:
            names.append(name)
        pieces.append(token.text if name is None else f"${len(names)}")
    rules = rules_of_parameters(" ".join(pieces), redactor)
    return {names[index]: rule for index, rule in rules.items() if index < len(names)}


def _placeholder(token: Token, following: deque[Token], number: int) -> str | None:
    if token.kind is not Kind.SYMBOL:
        return None
    if token.text == "?":
        return str(number)
    if token.text == ":" and following and following[0].kind is Kind.WORD and following[0].start == token.end:
        return following.popleft().text
    return None


# ---- what comes back -------------------------------------------------------------------------------------------------


def columns_of(params: Value, service: str, redactor: Redactor) -> Mapping[int, str]:
    """The rules of columns that the statement gives, as far as its text tells."""
    if service not in STATEMENTS or not isinstance(params, Mapping):
        return {}
    statements = [text for name in STATEMENTS[service] for text in _texts(params.get(name))]
    return _selected(code(statements[0]), redactor) if len(statements) == 1 else {}


def _selected(tokens: Sequence[Token], redactor: Redactor) -> dict[int, str]:
    """Of the first list of columns: any secret name in an item makes a secret of it."""
    start = next((index for index, token in enumerate(tokens) if token.upper in LISTS), len(tokens))
    rules: dict[int, str] = {}
    number, depth = 0, 0
    for token in tokens[start + 1 :]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0 or (not depth and token.upper in LIST_ENDS):
            break
        if not depth and token.text == ",":
            number += 1
        elif (rule := redactor.rule_of(token.identifier or "")) is not None:
            rules.setdefault(number, rule)
    return rules


def rules_of_rows(value: Value, columns: Mapping[int, str], redactor: Redactor) -> Rules:
    """Of the cells of secret columns in an answer; `columns` where it does not name them itself."""
    rules: dict[tuple[int, str], str] = {}
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            names = _names(found)
            by_name = {index: redactor.rule_of(name) for index, name in enumerate(names)}
            hidden = {index: rule for index, rule in by_name.items() if rule is not None} or columns
            for row in _rows(found, names) if hidden else ():
                rules.update({(id(row), str(index)): rule for index, rule in hidden.items()})
            waiting += found.values()
        elif isinstance(found, (list, tuple)):
            waiting += found
    return rules


def _names(found: Mapping[str, Value]) -> list[str]:
    """Of the columns, where the answer tells them."""
    inner = found.get(METADATA)
    about = {**inner, **found} if isinstance(inner, Mapping) else found
    columns = next((about[name] for name in COLUMNS if name in about), ())
    told = [each if isinstance(each, Mapping) else {} for each in columns] if isinstance(columns, (list, tuple)) else []
    return [str(each.get("name") or each.get("Name") or "") for each in told]


def _rows(found: Mapping[str, Value], names: Sequence[str]) -> Iterator[Sequence[Value]]:
    """Lists of cells; the first one of Athena, which repeats the names, is none."""
    for rows in (found.get(name) for name in ROWS):
        for row in rows if isinstance(rows, (list, tuple)) else ():
            cells = row.get("Data") if isinstance(row, Mapping) else row
            if isinstance(cells, (list, tuple)) and [_only(cell) for cell in cells] != names:
                yield cells


def _only(cell: Value) -> Value:
    return next(iter(cell.values()), None) if isinstance(cell, Mapping) else cell
