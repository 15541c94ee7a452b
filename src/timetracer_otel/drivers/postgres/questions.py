"""Requests to PostgreSQL in canonical form: what is recorded and what is asked in replay become the same `Question`.

How a statement travelled does not count: by simple or extended query, prepared or not, in text or in binary; nor does
the driver that sent it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Final

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.wire.postgres import recorded
from timetracer_otel.wire.postgres.answers import Parameter
from timetracer_otel.wire.postgres.statements import normalise, parts, verb
from timetracer_otel.wire.postgres.transaction import command
from timetracer_otel.wire.postgres.values import canonical, instant_ns, shown

PREPARE: Final = "prepare"
_MINTED: Final = re.compile(r"__asyncpg_([a-z]+)_[0-9a-f]+__")
"""Names of savepoints and portals that asyncpg counts through the whole process."""


def question(
    lib: str,
    sql: str,
    parameters: Sequence[Parameter],
    database: str | None,
    in_transaction: bool | None = None,
) -> Question:
    """The canonical form of a statement with its bound values."""
    return Question(
        lib=lib,
        method=verb(sql),
        url=database or "",
        shape=shape(sql),
        text=_text(sql),
        slots=tuple(_slot(index, parameter) for index, parameter in enumerate(parameters)),
        database=database,
        # BEGIN, COMMIT and their like are on the border.
        in_transaction=None if any(command(each) for each in parts(sql)) else in_transaction,
    )


def question_of(exchange: Exchange) -> Question:
    """Of a recorded request. Raises DamagedCassette."""
    sql = str(exchange.request.get("statement", ""))
    bound, database = recorded.parameters(exchange.request), exchange.signature.url or None
    lib = exchange.signature.lib
    asked = question(lib, sql, bound, database, exchange.transaction is not None)
    return replace(asked, shape=described(sql), slots=()) if exchange.request.get("op") == PREPARE else asked


def described(sql: str) -> Hashable:
    """The shape of what was recorded of a statement that was only described."""
    return ("prepare", _text(sql))


def shape(sql: str) -> Hashable:
    """The statement without its values."""
    return ("query", _text(sql))


def _text(sql: str) -> str:
    return _MINTED.sub(r"__asyncpg_\1__", normalise(sql)) if "__asyncpg_" in sql else normalise(sql)


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
