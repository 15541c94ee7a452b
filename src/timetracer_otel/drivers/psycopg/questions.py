"""Requests of psycopg in canonical form: what is recorded and what is asked in replay become the same `Question`.

How a statement travelled does not count: by simple or extended query, prepared or not, in text or in binary.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.drivers.psycopg.tracking import LIBRARY
from timetracer_otel.wire.postgres import recorded
from timetracer_otel.wire.postgres.answers import Parameter
from timetracer_otel.wire.postgres.statements import normalise, parts, verb
from timetracer_otel.wire.postgres.transaction import command
from timetracer_otel.wire.postgres.values import canonical, instant_ns, shown


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
        slots=tuple(_slot(index, parameter) for index, parameter in enumerate(parameters)),
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
    """The statement without its values."""
    return ("query", normalise(sql))


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
