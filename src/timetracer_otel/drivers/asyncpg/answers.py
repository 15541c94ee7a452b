"""A replay session as the backend of one asyncpg connection asks; what asyncpg asks by itself the catalogue answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from timetracer_otel.cassette.model import Payload
from timetracer_otel.drivers.asyncpg import catalogue
from timetracer_otel.drivers.asyncpg.catalogue import JIT, OID_ARRAY, ONE, TREE, Catalogue
from timetracer_otel.drivers.asyncpg.housework import Housework, housework
from timetracer_otel.drivers.postgres.answers import Claim, SessionAnswers
from timetracer_otel.drivers.postgres.operations import NOTIFY, WAIT
from timetracer_otel.drivers.postgres.questions import question
from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.answers import Answer, Miss, Reply, Statement, Synthesise
from timetracer_otel.wire.postgres.conversion import MALFORMED
from timetracer_otel.wire.postgres.messages import Notification
from timetracer_otel.wire.postgres.recorded import recorded
from timetracer_otel.wire.postgres.statements import parts
from timetracer_otel.wire.postgres.synthesis import synthesise
from timetracer_otel.wire.postgres.tokens import Token
from timetracer_otel.wire.postgres.transaction import Move, Transaction, command
from timetracer_otel.wire.postgres.types import type_name

EMPTY: Final[Payload] = {"results": [{"tag": ""}]}
OFF: Final = [[b"off", b"off"]]
SHAPES: Final[Mapping[Housework, tuple[tuple[int, ...], Mapping[str, int]]]] = {
    Housework.CATALOGUE: ((OID_ARRAY,), TREE),
    Housework.BY_NAME: ((oids.NAME, oids.NAME), ONE),
    Housework.BY_NUMBER: ((oids.OID,), ONE),
    Housework.READ_JIT: ((), JIT),
    Housework.WRITE_JIT: ((oids.TEXT,), {"set_config": oids.TEXT}),
}
"""Types of the parameters and columns of what is prepared."""


class AsyncpgAnswers(SessionAnswers):
    """Implements `wire.postgres.answers.Answers` for one connection of asyncpg to the stub."""

    listener: Claim | None = None
    """For whom the connection listens. asyncpg waits for notifications without a word: Flush asks for them."""

    def answer(self, statement: Statement, transaction: Transaction) -> Reply:
        kind = housework(statement.sql)
        if self._current().is_ping and _begins(statement.sql):
            return Synthesise()
        if kind is None or transaction.status == "E":
            return super().answer(statement, transaction)
        if kind is Housework.RESET:
            return Answer({}, _reset(statement.sql))
        if kind is Housework.PING:
            self._has_greeted = True
            return Answer({}, EMPTY)
        result = self._known(kind, statement)
        return result if isinstance(result, Miss) else Answer(_request(kind), {"results": [result]})

    def notifications(self) -> Sequence[Notification] | None:
        if self.listener is None:
            return ()
        claim = self.listener
        wanted = question(self._lib, WAIT.decode(), (), claim.database, op=NOTIFY)
        exchange = claim.source.due(wanted, replace(claim.asked, connection=self._number))
        return () if exchange is None else recorded(exchange.result).notifications

    def shapes(self, sql: str) -> Sequence[Answer]:
        kind = housework(sql)
        if kind is None or kind is Housework.RESET:
            return super().shapes(sql)
        if kind is Housework.PING:
            return (Answer({}, EMPTY),)
        return (Answer(_request(kind), {"results": [catalogue.table(SHAPES[kind][1], ())]}),)

    def _known(self, kind: Housework, statement: Statement) -> Payload | Miss:
        columns, values = SHAPES[kind][1], [parameter.value for parameter in statement.parameters]
        if kind is Housework.READ_JIT:
            return catalogue.table(columns, OFF)
        if kind is Housework.WRITE_JIT:
            return catalogue.table(columns, [values])
        if kind is Housework.BY_NUMBER:
            return catalogue.table(columns, catalogue.by_number(values[0] or b""))
        known = Catalogue(self._current().source.connections(self._lib))
        if kind is Housework.BY_NAME:
            name, schema = ((value or b"").decode() for value in values)
            rows = known.by_name(name, schema)
            if rows is None:
                return Miss(self.refused(statement, f"nothing is recorded of the type {schema}.{name}"))
            return catalogue.table(columns, rows)
        return self._tree(known, statement)

    def _tree(self, known: Catalogue, statement: Statement) -> Payload | Miss:
        try:
            wanted = catalogue.wanted(statement.parameters[0].value if statement.parameters else None)
            unknown, rows = known.unknown(wanted), known.tree(wanted)
        except (Unconvertible, *MALFORMED) as error:
            return Miss(self.refused(statement, str(error)))
        if unknown:
            names = ", ".join(type_name(oid) for oid in unknown)
            return Miss(self.refused(statement, f"nothing is recorded of {names}"))
        return catalogue.table(TREE, rows)


def _begins(sql: str) -> bool:
    return [each and each.move for each in map(command, parts(sql))] == [Move.BEGIN]


def _request(kind: Housework) -> Payload:
    types = SHAPES[kind][0]
    if not types:
        return {}
    count = len(types)
    return {"parameters": [None] * count, "parameter_types": list(types), "parameter_formats": [1] * count}


def _reset(sql: str) -> Payload:
    return {"results": [_tag(part) for part in parts(sql)]}


def _tag(statement: Sequence[Token]) -> Payload:
    words = " ".join(token.text for token in statement)
    if words.upper().startswith("SELECT"):
        return {**catalogue.table({"pg_advisory_unlock_all": oids.VOID}, [[b""]]), "tag": "SELECT 1"}
    return {"tag": synthesise(words, Transaction()).tags[0]}
