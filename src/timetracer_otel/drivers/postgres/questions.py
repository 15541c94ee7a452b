"""Requests to PostgreSQL in canonical form: what is recorded and what is asked in replay become the same `Question`.

How a statement travelled does not count: by simple or extended query, prepared or not, in text or in binary. Nor does
the driver that sent it, the name of a cursor, or how many of its next rows are fetched at once.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import TEXT_MAX, Question, Slot
from timetracer_otel.drivers.postgres.operations import COPY_IN, DESCRIBE, NOTIFY, PARSE, PREPARE, QUERY
from timetracer_otel.redaction import SECRETS, text_in
from timetracer_otel.wire.postgres import oids, recorded
from timetracer_otel.wire.postgres.answers import Copied, Parameter
from timetracer_otel.wire.postgres.copying import ROWS_MAX, copy_rows
from timetracer_otel.wire.postgres.cursors import cursor_command, nameless
from timetracer_otel.wire.postgres.description import casts
from timetracer_otel.wire.postgres.scalars import bytea_binary
from timetracer_otel.wire.postgres.secrets import secrets
from timetracer_otel.wire.postgres.statements import normalise, parts, remembered, verb
from timetracer_otel.wire.postgres.tokens import Kind, tokens, unquoted
from timetracer_otel.wire.postgres.transaction import command
from timetracer_otel.wire.postgres.values import BINARY, canonical, instant_ns, shown

LITERAL: Final = "'?'"
"""Stands in a shape for a literal that may be a secret, or differ from run to run."""
_VARYING: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
)
"""Instants and ids, as they stand in the literals of a client that puts its values into the statement."""
_MINTED: Final = re.compile(r"__asyncpg_([a-z]+)_[0-9a-f]+__")
"""Names of savepoints and portals that asyncpg counts through the whole process."""
WHOLE: Final = (COPY_IN, DESCRIBE, NOTIFY)
"""Operations in whose shape the statement stands with its literals, or not at all."""
_OF_THREADS: Final = re.compile(r'(\bSAVEPOINT )"(s\d+_x\d+)"', re.IGNORECASE)
"""Savepoints of Django: a thread, which has another number in each run, and a count of its connection. One stands for
one, as ids do that a driver makes."""


def question(
    lib: str,
    sql: str,
    parameters: Sequence[Parameter],
    database: str | None,
    in_transaction: bool | None = None,
    op: str = QUERY,
    cursor: Hashable = None,
    copied: Copied | None = None,
) -> Question:
    """The canonical form of a statement with its bound values; `cursor` says which one it is about, in the words of the
    recording: its number and how often it was moved; None if that is not known."""
    return Question(
        lib=lib,
        method=verb(sql),
        url=database or "",
        shape=shape(sql, op),
        text=_text(sql),
        slots=(
            *(_slot(index, parameter) for index, parameter in enumerate(_typed(sql, parameters))),
            *(_literals(sql) if op not in WHOLE else ()),
            *_savepoint_slots(sql),
            *_cursor_slots(sql, op, cursor),
            *(_copy_slots(copied) if copied is not None else ()),
        ),
        database=database,
        # BEGIN, COMMIT and their like are on the border.
        in_transaction=None if op == NOTIFY or any(command(each) for each in parts(sql)) else in_transaction,
    )


def question_of(exchange: Exchange) -> Question:
    """Of a recorded request. Raises DamagedCassette."""
    request, lib = exchange.request, exchange.signature.lib
    sql, op = str(request.get("statement", "")), str(request.get("op", QUERY))
    bound, database = recorded.parameters(request), exchange.signature.url or None
    copy = recorded.copied(request)
    copied = copy[1] if copy is not None and copy[1].data is not None else None
    return question(lib, sql, bound, database, exchange.transaction is not None, op, cursor_of(request), copied)


def described(sql: str) -> Hashable:
    """The shape of what was recorded of a statement that was only described."""
    return shape(sql, PREPARE)


def cursor_of(request: Payload) -> tuple[int, int] | None:
    """Number of the cursor that a recorded request is about, and how often that had been moved."""
    number, moves = request.get("cursor"), request.get("cursor_moves", 0)
    return (number, moves) if isinstance(number, int) and isinstance(moves, int) else None


def shape(sql: str, op: str = QUERY) -> Hashable:
    """The statement without its values."""
    if op == DESCRIBE:
        return (DESCRIBE,)
    if op == NOTIFY:
        return (NOTIFY,)
    if op == COPY_IN:
        return (op, _text(sql))
    if op in (PARSE, PREPARE):
        return (op, _text(_without_literals(sql)))
    about = cursor_command(sql)
    if about is None:
        return ("query", _text(_without_literals(sql)))
    return ("fetch",) if about.is_page else ("query", nameless(_without_literals(sql)))


@remembered
def _places(sql: str) -> tuple[tuple[int, int], ...]:
    """Of the literals that redaction masks for the names beside them, and of those that hold an instant or an id. Names
    of a rule file do not count here."""
    masked = {(start, end) for start, end, _ in secrets(sql, SECRETS.names.rule_of_column).literals}
    return tuple(sorted(masked | set(_varying(sql)))) if _VARYING.search(sql) else tuple(sorted(masked))


def _varying(sql: str) -> Iterator[tuple[int, int]]:
    for token in tokens(sql):
        if token.kind is Kind.STRING and not token.text.startswith("$") and _VARYING.search(token.text):
            yield token.start, token.end


def _without_literals(sql: str) -> str:
    """Where a marker may stand in the recorded statement, or another instant, a literal is a value, too."""
    places = _places(sql)
    kept = zip((0, *(end for _, end in places)), (*(start for start, _ in places), len(sql)), strict=True)
    return LITERAL.join(sql[start:end] for start, end in kept)


def _literals(sql: str) -> Iterator[Slot]:
    for number, (start, end) in enumerate(_places(sql)):
        secret = unquoted(sql[start:end])
        yield Slot(f"literals[{number}]", key=sql[start:end], shown=secret, text=secret)


def _text(sql: str) -> str:
    if "__asyncpg_" in sql:
        return _MINTED.sub(r"__asyncpg_\1__", normalise(sql))
    return _OF_THREADS.sub(r'\1"s_x"', normalise(sql)) if "SAVEPOINT" in sql else normalise(sql)


def _savepoint_slots(sql: str) -> Iterator[Slot]:
    if (found := _OF_THREADS.search(sql)) is not None:
        yield Slot("savepoint", key=found[2], shown=found[2], made=found[2])


def _cursor_slots(sql: str, op: str, cursor: Hashable) -> tuple[Slot, ...]:
    """Which cursor it is, and from where it goes on: two that are open at once must not get each other's rows."""
    about = None if op == DESCRIBE else cursor_command(sql)
    if op != DESCRIBE and (about is None or about.verb == "DECLARE"):
        return ()
    name = about.name if about is not None else sql
    # asyncpg counts its portals through the whole process: which one it is, only the order can tell.
    return (Slot(path="cursor", key=_MINTED.sub(r"__asyncpg_\1__", name) if cursor is None else cursor, shown=name),)


def _copy_slots(copied: Copied) -> Iterator[Slot]:
    """Row by row, so that a miss names the row; what comes after many rows is one slot."""
    if copied.data is None:
        yield Slot(path="copy.data", key=None, shown=f"{copied.size} bytes")
        return
    for index, row in enumerate(copy_rows(copied.data, copied.is_binary)):
        readable = None if copied.is_binary else row.decode("utf-8", "replace")
        shown_row: Value = readable if readable is not None else row
        if index == ROWS_MAX:
            shown_row = f"{len(row)} bytes, sha256 {sha256(row).hexdigest()}"
        yield Slot(path=f"copy.data[{index}]", key=row, shown=shown_row, text=readable)
    if copied.failed is not None:
        yield Slot(path="copy.failed", key=copied.failed, shown=copied.failed, text=copied.failed)


def _typed(sql: str, bound: Sequence[Parameter]) -> Sequence[Parameter]:
    """With the type that the statement names where the client left it open: bytes alone do not say what they are, and
    an array of texts is left open by one driver and not by another."""
    if all(each.oid != oids.UNDECLARED or each.value is None for each in bound):
        return bound
    named = casts(sql)
    found = (named.get(number, oids.UNDECLARED) for number in range(1, len(bound) + 1))
    return [
        replace(each, oid=oid)
        if each.oid == oids.UNDECLARED and (each.format == BINARY or oid in oids.ARRAYS)
        else each
        for each, oid in zip(bound, found, strict=True)
    ]


def _slot(index: int, parameter: Parameter) -> Slot:
    oid, form, value = parameter.oid, parameter.format, parameter.value
    readable = shown(oid, form, value)
    return Slot(
        path=f"parameters[{index}]",
        key=canonical(oid, form, value),
        shown=readable,
        text=_searched(oid, readable) if isinstance(readable, str) else None,
        instant_ns=instant_ns(oid, form, value),
    )


def _searched(oid: int, readable: str) -> str:
    """Where ids and markers are found: in hexadecimal none would be seen."""
    if oid != oids.BYTEA or len(readable) > TEXT_MAX:
        return readable
    try:
        data = bytea_binary(readable)
    except ValueError:  # whoever sent it did not know better
        return readable
    return text_in(data, TEXT_MAX) or data.decode("latin-1")
