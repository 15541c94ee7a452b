from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.model import Exchange, Signature, Value
from timetracer_otel.drivers.base import Question
from timetracer_otel.drivers.postgres.questions import question, question_of, shape
from timetracer_otel.drivers.statements import mask_statement
from timetracer_otel.redaction import Redactor
from timetracer_otel.replay.origin import Origins, unbound
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.answers import Parameter


def exchange(statement: str, values: list[Value], oids: list[int], formats: list[int], **more: Any) -> Exchange:
    request = {"op": "query", "statement": statement, "parameters": values, "parameter_types": oids}
    signature = Signature("psycopg", "SELECT", "shop")
    return Exchange("test-1", "db.query", signature, {**request, "parameter_formats": formats, **more}, {})


def test_how_a_statement_travelled_does_not_count() -> None:
    prepared = exchange("select $1,  $2", [b"\0\0\0\7", b"x"], [23, 25], [1, 1], prepared=True, result_format=1)
    plain = exchange("select $1, $2 ;", ["7", "x"], [21, 0], [0, 0], result_format=0)
    command = exchange("select $1, $2", ["7", "x"], [20, 25], [0, 0], op="command")
    assert same(question_of(prepared), question_of(plain))
    assert same(question_of(plain), question_of(command))


def test_what_is_asked_in_replay_is_what_was_recorded() -> None:
    recorded = exchange("select $1, $2", ["7", None], [20, 0], [0, 0])
    asked = question("psycopg", "select $1, $2", (Parameter(20, 0, b"7"), Parameter(0, 0, None)), "shop", False)
    assert question_of(recorded) == asked


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_two_integers_are_the_same_only_if_they_are_equal_in_whatever_form(one: int, two: int) -> None:
    binary = question("psycopg", "select $1", (Parameter(23, 1, struct.pack("!i", one)),), "shop")
    text = question("psycopg", "select $1", (Parameter(20, 0, str(two).encode()),), "shop")
    assert same(binary, text) == (one == two)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_texts_are_the_same_only_if_every_letter_is(one: str, two: str) -> None:
    first = question("psycopg", "select $1", (Parameter(0, 0, one.encode()),), "shop")
    second = question("psycopg", "select $1", (Parameter(25, 1, two.encode()),), "shop")
    assert same(first, second) == (one == two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("select 1", "select 2"),
        ("select 'a  b'", "select 'a b'"),
        ('select "A"', 'select "a"'),
        ("select 1 /*+ hint */", "select 1"),
        ("commit", "rollback"),
    ],
)
def test_statements_that_a_server_would_tell_apart_differ(one: str, two: str) -> None:
    assert not same(question("psycopg", one, (), "shop"), question("psycopg", two, (), "shop"))


def test_a_slot_says_what_people_and_proofs_need() -> None:
    (slot,) = question("psycopg", "select $1", (Parameter(1184, 0, b"2024-01-01 00:00:00+00"),), "shop").slots
    assert slot.path == "parameters[0]"
    assert slot.shown == slot.text == "2024-01-01 00:00:00+00"
    assert slot.instant_ns == 1_704_067_200_000_000_000


MARKER = "[redacted:api_key#012345]"


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        (f"set app.api_key = '{MARKER}'", "set app.api_key = 'Zq01pWx'"),
        (f"update t set password = '{MARKER}' where id = 1", "update t set password = $x$Zq01pWx$x$ where id = 1"),
        (f"select 1 where coalesce(token, '') = '{MARKER}'", "select 1 where coalesce(token, '') = 'it''s'"),
        (f"execute p('{MARKER}')", "execute p('Zq01pWx')"),
    ],
)
def test_a_statement_whose_literal_was_masked_is_found_again_by_the_literal_that_the_app_has(
    recorded: str, asked: str
) -> None:
    was, now = question("psycopg", recorded, (), "shop"), question("psycopg", asked, (), "shop")
    assert was.shape == now.shape
    (mapping,) = Origins((), (0, 0), lambda: (0, 0)).proves(was.slots, now.slots) or ()
    assert mapping.kind == "redacted"
    assert question("psycopg", f"{asked} -- x", (), "shop").shape != was.shape


def test_a_literal_beside_a_secret_name_is_compared_where_no_marker_stands() -> None:
    one, two = (question("psycopg", f"select 1 where token = '{value}'", (), "shop") for value in "ab")
    assert not same(one, two)
    assert Origins((), (0, 0), lambda: (0, 0)).proves(one.slots, two.slots) is None


NOON_NS = 1_795_867_200 * 10**9
"""2026-11-28 12:00 in UTC."""


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t (at, n) values ('{}'::timestamptz, 7)",
        'insert into t (data) values (\'{{"at": "{}", "who": "it\'\'s"}}\'::jsonb)',
        "declare \"page\" cursor for select * from t where at < '{}'",
    ],
)
def test_an_instant_that_a_client_puts_into_the_statement_may_be_of_another_reading_of_the_clock(sql: str) -> None:
    was, now, other = (
        question("psycopg", sql.format(f"2026-11-28 {time}+00:00"), (), "shop")
        for time in ("12:00:00.281948", "12:00:00.326353", "13:00:00.326353")
    )
    run = (NOON_NS, NOON_NS + 10**9)
    assert was.shape == now.shape
    (mapping,) = Origins((), run, lambda: run).proves(was.slots, now.slots) or ()
    assert mapping.kind == "instant"
    assert Origins((), run, lambda: run).proves(was.slots, other.slots) is None


def test_an_id_that_a_client_puts_into_the_statement_is_a_value() -> None:
    was, now = (
        question("psycopg", f"select 1 where id = '{each}'::uuid and n = 7", (), "shop")
        for each in ("06c168a0-e0fb-472e-b1fa-b77aa3dde2e0", "61bd3c530d0f46ff8672ec4e42f39bc6")
    )
    assert was.shape == now.shape
    assert not same(was, now)


def test_savepoints_of_django_are_named_after_a_thread_and_one_stands_for_one() -> None:
    def named(verb: str, thread: int, count: int) -> Question:
        return question("psycopg", f'{verb} "s{thread}_x{count}"', (), "shop")

    origins, then, now = unbound(), 140354162521792, 7
    made = [origins.proves(named("SAVEPOINT", then, n).slots, named("SAVEPOINT", now, n + 5).slots) for n in (1, 2)]
    assert all(made)
    origins.bind(each for mappings in made for each in mappings or ())
    back = named("ROLLBACK TO SAVEPOINT", then, 1)
    assert origins.proves(back.slots, named("ROLLBACK TO SAVEPOINT", now, 6).slots) is not None
    assert origins.proves(back.slots, named("ROLLBACK TO SAVEPOINT", now, 7).slots) is None
    assert back.shape != named("SAVEPOINT", then, 1).shape
    mine = (question("psycopg", f'SAVEPOINT "{name}"', (), "shop") for name in ("before", "after"))
    assert not same(*mine)


@pytest.mark.parametrize("op", ["command", "copy_out", "parse", "prepare", "query"])
def test_a_literal_is_a_value_whatever_the_recorded_operation_was(op: str) -> None:
    sql = "PREPARE TRANSACTION '06c168a0e0fb472eb1fab77aa3dde2e0'"
    recorded = question_of(exchange(sql, [], [], [], op=op))
    assert same(recorded, question("psycopg", sql, (), "shop", op=op if op in ("parse", "prepare") else "query"))


def test_the_name_of_a_transaction_in_two_phases_is_a_value_that_only_its_draw_excuses() -> None:
    one, other = (question("psycopg", f"COMMIT PREPARED '_sa_{digit * 32}'", (), "shop") for digit in "ab")
    assert (one.shape, [slot.text for slot in one.slots]) == (other.shape, [f"_sa_{'a' * 32}"])
    assert not same(one, other)
    assert one.shape != question("psycopg", f"ROLLBACK PREPARED '_sa_{'a' * 32}'", (), "shop").shape


def same(one: Question, two: Question) -> bool:
    return (one.shape, [slot.key for slot in one.slots]) == (two.shape, [slot.key for slot in two.slots])


ARRAY = b"{a,NULL,b}"
ARRAY_BINARY = struct.pack("!iiiii", 1, 1, 25, 3, 1) + b"\0\0\0\1a\xff\xff\xff\xff\0\0\0\1b"


@pytest.mark.parametrize(
    ("sql", "one", "other", "is_same"),
    [
        ("select $1::int4", Parameter(0, 1, b"\0\0\0\7"), Parameter(23, 1, b"\0\0\0\7"), True),
        ("select $1::int4range", Parameter(0, 1, b"\1"), Parameter(0, 1, b"\1"), True),
        ("select $1::int4range", Parameter(0, 1, b"\1"), Parameter(0, 1, b"\2"), False),
        ("select $1::text[]", Parameter(0, 0, ARRAY), Parameter(1009, 1, ARRAY_BINARY), True),
        ("select $1", Parameter(0, 0, ARRAY), Parameter(1009, 1, ARRAY_BINARY), False),
        ("select $1::mood", Parameter(0, 0, b"ok"), Parameter(16400, 1, b"ok"), True),
        ("select $1::mood", Parameter(0, 0, b"sad"), Parameter(16400, 1, b"ok"), False),
        ("select $1::int4", Parameter(0, 0, b"7"), Parameter(23, 1, b"\0\0\0\7"), False),
    ],
)
def test_a_type_that_one_driver_leaves_open_is_what_the_statement_says(
    sql: str, one: Parameter, other: Parameter, is_same: bool
) -> None:
    assert same(question("psycopg", sql, (one,), "shop"), question("asyncpg", sql, (other,), "shop")) == is_same


def test_names_that_asyncpg_counts_do_not_tell_a_cursor_from_another() -> None:
    one, other = (question("asyncpg", f"MOVE FORWARD 2 __asyncpg_portal_{n}__", (), "shop") for n in ("7a", "1"))
    assert same(one, other)
    assert not same(one, question("asyncpg", "MOVE FORWARD 3 __asyncpg_portal_1__", (), "shop"))


def test_a_literal_that_is_masked_as_a_signature_is_a_value_of_the_same_statement() -> None:
    redactor, signature = Redactor(b"key"), bytes(range(32)).hex()
    for literal in (signature, "Ann"):
        sql = f"UPDATE files SET n = 1 WHERE sig = '{literal}'"
        masked, found = mask_statement(sql, redactor)
        assert list(found) == [signature] * (literal == signature)
        assert shape(masked) == shape(sql)
        assert [slot.text for slot in question("psycopg", masked, (), "shop").slots] == [found.get(literal, literal)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", [0, 1], ids=["text", "binary"])
def test_around_a_secret_that_was_masked_in_bytes_all_else_must_be_equal(
    pack: Callable[[bytes], bytes], form: int
) -> None:
    redactor = Redactor(b"key")

    def asked(data: bytes) -> Question:
        value = data if form else b"\\x" + data.hex().encode()
        return question("psycopg", "INSERT INTO files VALUES ($1)", (Parameter(17, form, value),), "shop")

    recorded = asked(redactor.data(pack(b'{"password": "hunter2", "n": 1}')))
    same_place = frozenset({"parameters[0]"})
    found = [
        Origins((), (0, 0), lambda: (0, 0)).proves(recorded.slots, asked(pack(text)).slots, same_place)
        for text in (b'{"password": "other", "n": 1}', b'{"password": "other", "n": 2}')
    ]
    assert [each is not None for each in found] == [True, False]


DAY_NS = 86_400_000_000_000
CLOCKED = Origins((), (0, DAY_NS), lambda: (0, DAY_NS))


@pytest.mark.parametrize(
    ("recorded", "asked", "is_same"),
    [
        ((oids.TIMESTAMPTZ, b"1970-01-01 10:00:00.25+00"), (oids.TIMESTAMPTZ, b"1970-01-01 10:00:00.5+00"), True),
        ((oids.TIMESTAMPTZ, b"1970-01-01 10:00:00.25+00"), (oids.TIMESTAMP, b"1970-01-01 10:00:00.5"), False),
        ((oids.TEXT, b"1970-01-01 10:00:00.250000"), (oids.UNDECLARED, b"1970-01-01 10:00:00.500000"), True),
        ((oids.TEXT, b"1970-01-01 10:00:00.250000"), (oids.TEXT, b"1970-01-01T10:00:00.500000"), False),
        ((oids.TEXT, b"1970-01-01 10:00:00.250000"), (oids.TIMESTAMP, b"1970-01-01 10:00:00.500000"), False),
    ],
    ids=["another reading", "without an offset", "a text", "in another spelling", "no text"],
)
def test_another_reading_of_the_clock_is_of_the_same_kind_and_spelling(
    recorded: tuple[int, bytes], asked: tuple[int, bytes], is_same: bool
) -> None:
    """A server whose zone is another one takes a clock without an offset for another moment."""
    was, now = (
        question("psycopg", "select $1", (Parameter(each[0], 0, each[1]),), "shop") for each in (recorded, asked)
    )
    assert (CLOCKED.proves(was.slots, now.slots) is not None) is is_same
