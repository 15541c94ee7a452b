"""Requests of psycopg in canonical form: what is recorded and what is asked in replay become the same `Question`.

How a statement travelled does not count: by simple or extended query, prepared or not, in text or in binary.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Final

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.drivers.psycopg.tracking import LIBRARY
from timetracer_otel.redaction import SECRETS
from timetracer_otel.wire.postgres import recorded
from timetracer_otel.wire.postgres.answers import Parameter
from timetracer_otel.wire.postgres.secrets import secrets
from timetracer_otel.wire.postgres.statements import normalise, parts, remembered, verb
from timetracer_otel.wire.postgres.tokens import unquoted
from timetracer_otel.wire.postgres.transaction import command
from timetracer_otel.wire.postgres.values import canonical, instant_ns, shown

LITERAL: Final = "'?'"
"""Stands in a shape for a literal that may be a secret."""


def question(
    sql: str, parameters: Sequence[Parameter], database: str | None, in_transaction: bool | None = None
) -> Question:
    """The canonical form of a statement with its bound values."""
    return Question(
        lib=LIBRARY,
        method=verb(sql),
        url=database or "",
        shape=shape(sql),
        text=normalise(sql),
        slots=(*(_slot(index, parameter) for index, parameter in enumerate(parameters)), *_literals(sql)),
        database=database,
        # BEGIN, COMMIT and their like are on the border.
        in_transaction=None if any(command(each) for each in parts(sql)) else in_transaction,
    )


def question_of(exchange: Exchange) -> Question:
    """Of a recorded request. Raises DamagedCassette."""
    sql = str(exchange.request.get("statement", ""))
    bound, database = recorded.parameters(exchange.request), exchange.signature.url or None
    return question(sql, bound, database, exchange.transaction is not None)


def shape(sql: str) -> Hashable:
    """The statement without its values: where a marker may stand in the recorded one, a literal is a value, too."""
    return ("query", normalise(_without_literals(sql)))


@remembered
def _places(sql: str) -> tuple[tuple[int, int], ...]:
    """Of the literals that redaction masks for the names beside them. Names of a rule file do not count here."""
    return tuple((start, end) for start, end, _ in secrets(sql, SECRETS.names.rule_of).literals)


def _without_literals(sql: str) -> str:
    places = _places(sql)
    kept = zip((0, *(end for _, end in places)), (*(start for start, _ in places), len(sql)), strict=True)
    return LITERAL.join(sql[start:end] for start, end in kept)


def _literals(sql: str) -> Iterator[Slot]:
    for number, (start, end) in enumerate(_places(sql)):
        secret = unquoted(sql[start:end])
        yield Slot(f"literals[{number}]", key=sql[start:end], shown=secret, text=secret)


def _slot(index: int, parameter: Parameter) -> Slot:
    oid, form, value = parameter.oid, parameter.format, parameter.value
    readable = shown(oid, form, value)
    return Slot(
        path=f"parameters[{index}]",
        key=canonical(oid, form, value),
        shown=readable,
        text=readable if isinstance(readable, str) else None,
        instant_ns=instant_ns(oid, form, value),
    )
