"""Types of a database in replay, and what asyncpg asks by itself."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from tests.drivers.psycopg.replaying import session
from timetracer_otel.cassette.model import Connection
from timetracer_otel.drivers.asyncpg.answers import AsyncpgAnswers
from timetracer_otel.drivers.asyncpg.catalogue import TREE, Catalogue, wanted
from timetracer_otel.drivers.asyncpg.housework import BY_NAME, BY_NUMBER, CATALOGUE, READ_JIT, Housework, housework
from timetracer_otel.drivers.base import Asked
from timetracer_otel.drivers.postgres.answers import Claim
from timetracer_otel.errors import Unconvertible
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.wire.postgres.answers import Answer, Miss, Parameter, Statement
from timetracer_otel.wire.postgres.containers import Array, array_to_binary
from timetracer_otel.wire.postgres.transaction import Transaction

MOOD: dict[str, Any] = {"oid": 16400, "ns": "public", "name": "mood", "kind": "e"}
MOODS: dict[str, Any] = {
    "oid": 16405,
    "ns": "public",
    "name": "_mood",
    "kind": "b",
    "elemtype": 16400,
    "elemdelim": ",",
}
PAIR: dict[str, Any] = {
    "oid": 16410,
    "ns": "public",
    "name": "pair",
    "kind": "c",
    "attrtypoids": [23, 16405],
    "attrnames": ["a", "b"],
}
CONNECTION = Connection(1, "asyncpg", "", {"types": [MOOD, MOODS, PAIR], "database": "shop"})


def oids_of(rows: list[list[bytes | None]]) -> list[int]:
    return [int.from_bytes(row[0] or b"", "big") for row in rows]


def test_parts_of_a_type_come_before_it() -> None:
    assert oids_of(Catalogue([CONNECTION]).tree([16410])) == [16400, 16405, 16410]


def test_arrays_of_every_server_are_known_and_others_are_not() -> None:
    assert Catalogue([]).unknown([1007, 3904, 4451, 16400]) == [16400]
    assert Catalogue([CONNECTION]).unknown([16400]) == []


def test_types_that_are_made_of_each_other_come_to_an_end() -> None:
    one = {**PAIR, "oid": 1, "attrtypoids": [2]}
    two = {**PAIR, "oid": 2, "attrtypoids": [1]}
    rows = Catalogue([Connection(1, "asyncpg", "", {"types": [one, two]})]).tree([1])
    assert sorted(oids_of(rows)) == [1, 2]


def test_a_strangers_catalogue_is_passed_over() -> None:
    strange: list[Any] = [None, 7, ["x"], [{"oid": "x"}], [{"oid": 16400}], [{**MOODS, "oid": 16400, "elemtype": "x"}]]
    strange += [[{"oid": 16400, "attrtypoids": 5, "attrnames": [1, None]}], [{"oid": 16400, "depth": [], "ns": 7}]]
    for types in strange:
        known = Catalogue([Connection(1, "asyncpg", "", {"types": types, "type_names": 3})])
        known.tree([16400])
        known.by_name("mood", "public")


def test_a_name_of_no_type_is_known_as_such() -> None:
    known = Catalogue([Connection(1, "asyncpg", "", {"types": [MOOD], "type_names": {"public.none": {}}})])
    assert (known.by_name("none", "public"), known.by_name("other", "public")) == ([], None)
    assert len(known.by_name("mood", "public") or ()) == 1


def test_what_is_no_array_of_types_is_refused() -> None:
    with pytest.raises((Unconvertible, struct.error)):
        wanted(b"\0")


def asked(sql: str, *values: bytes) -> tuple[object, MemoryJournal]:
    journal = MemoryJournal()
    source = session("test", (), journal, (CONNECTION,))
    answers = AsyncpgAnswers("asyncpg", 5, lambda: Claim(source, Asked(frame="app.py:1 main")), lambda: (CONNECTION,))
    statement = Statement(sql, tuple(Parameter(0, 1, value) for value in values))
    return answers.answer(statement, Transaction()), journal


def numbers(*oids: int) -> bytes:
    return array_to_binary(26, Array(((len(oids), 1),), tuple(struct.pack("!I", oid) for oid in oids)))


def test_questions_about_types_are_answered_from_the_recording() -> None:
    reply, journal = asked(CATALOGUE + "...", numbers(16405))
    assert isinstance(reply, Answer)
    results = reply.result["results"]
    assert isinstance(results, list)
    assert (results[0]["rows"], [one["name"] for one in results[0]["columns"]]) == (2, list(TREE))
    assert journal.of("miss") == []


@pytest.mark.parametrize(("oid", "kind"), [(114, b"b"), (2249, b"p"), (3904, b"r")])
def test_types_that_every_server_has_are_known_by_their_number(oid: int, kind: bytes) -> None:
    reply, _ = asked(BY_NUMBER, struct.pack("!I", oid))
    assert isinstance(reply, Answer)
    results: Any = reply.result["results"]
    assert [values[0] for values in results[0]["values"]] == [struct.pack("!I", oid), bytes(4), kind]


def test_a_type_that_was_not_recorded_is_a_miss_that_names_it() -> None:
    reply, journal = asked(CATALOGUE + "...", numbers(16999))
    assert isinstance(reply, Miss)
    assert "type OID 16999" in reply.text
    assert len(journal.of("miss")) == 1


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        (READ_JIT, Housework.READ_JIT),
        ("SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;", Housework.RESET),
        (" ; ", Housework.PING),
        (BY_NAME + "INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace) WHERE ...", Housework.BY_NAME),
        (BY_NUMBER.replace(" ", "\n  "), Housework.BY_NUMBER),
        ("RESET ALL", None),
        ("SELECT pg_advisory_unlock_all();\nDROP TABLE t;", None),
        ("select 1", None),
    ],
)
def test_what_asyncpg_sends_by_itself_is_known(sql: str, kind: Housework | None) -> None:
    assert housework(sql) is kind
