"""What SQLAlchemy asks the server when an engine connects for the first time: facts of the server, not of a request.

An engine that was warm when a request was recorded is cold in replay, and asks again in the middle of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from timetracer_otel.cassette.model import Connection, Exchange, Payload
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.statements import normalise

FIELD: Final = "greetings"
"""Of a connection's parameters: results by statement."""
HSTORE: Final = (b"hstore",)
"""The one type that SQLAlchemy's psycopg dialect asks for. Source: dialects/postgresql/psycopg.py (`initialize`)."""
# Source: psycopg 3.1 to 3.3, _typeinfo.py (`TypeInfo._get_info_query`).
TYPE: Final = (
    "SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, typdelim AS delimiter "
    "FROM pg_type t WHERE t.oid = to_regtype($1) ORDER BY t.oid"
)
# Source: SQLAlchemy 2.0 and 2.1, dialects/postgresql/base.py (`PGDialect.initialize`).
GREETINGS: Final = frozenset(
    {
        "select pg_catalog.version()",
        "select current_schema()",
        "show standard_conforming_strings",
        "show transaction isolation level",
        TYPE,
    }
)
_AS_SENT: Final = {name.encode(): name for name in GREETINGS}
LONGEST: Final = 300

NO_TYPE: Final[Payload] = {
    "results": [
        {
            "columns": [
                {"name": name, "oid": oids.TEXT} for name in ("name", "oid", "array_oid", "regtype", "delimiter")
            ],
            "formats": [0] * 5,
            "rows": 0,
            "values": [[]] * 5,
            "tag": "SELECT 0",
        }
    ]
}

_answers: Final[dict[str, dict[str, Payload]]] = {}
"""Of this process by target, for all its connections: an engine greets a server once."""


def greeting(sql: str, parameters: Sequence[bytes | None] = HSTORE) -> str | None:
    """`sql` as it stands in the cassette; None if it is no greeting. Without parameters, what any of them would be."""
    if len(sql) > LONGEST:
        return None
    plain = normalise(sql)
    return plain if plain in GREETINGS and (plain != TYPE or tuple(parameters) == HSTORE) else None


def greeting_sent(statement: bytes, parameters: Sequence[object]) -> str | None:
    """The same of a statement on its way out, on the hot path."""
    if not parameters:
        return _AS_SENT.get(statement)
    return greeting(statement.decode("utf-8", "replace")) if tuple(parameters) == HSTORE else None


def of_engines(exchanges: Iterable[Exchange]) -> frozenset[str]:
    """Ids of the greetings, with all of the transactions in which they were asked: an engine greets in one of its
    own."""
    own = [each for each in exchanges if each.type == "db.query"]
    greeted = {each.id: each for each in own if greeting(str(each.request.get("statement", ""))) is not None}
    within = {(each.connection, each.transaction) for each in greeted.values() if each.transaction is not None}
    return frozenset(each.id for each in own if each.id in greeted or (each.connection, each.transaction) in within)


def remember(target: str, name: str, result: Payload) -> bool:
    """True if it is news."""
    known = _answers.setdefault(target, {})
    is_new = name not in known
    if is_new:
        known[name] = result
    return is_new


def remembered(target: str) -> Payload:
    """The field of a connection to it, if there is anything to say."""
    known = _answers.get(target)
    return {FIELD: dict(known)} if known else {}


def recorded_greeting(name: str | None, connections: Iterable[Connection], lib: str) -> Payload | None:
    """What a recorded server answered to it. Where another driver than `lib` recorded, nobody looked for the type, and
    its values stay the texts that they are."""
    if name is None:
        return None
    known = list(connections)
    for connection in known:
        found = connection.parameters.get(FIELD)
        result = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(result, Mapping):
            return result
    is_of_another = bool(known) and all(each.driver != lib for each in known)
    return NO_TYPE if name == TYPE and is_of_another else None
