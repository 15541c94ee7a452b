from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.wire.postgres.statements import normalise, parts, verb
from timetracer_otel.wire.postgres.tokens import Kind, tokens

COMMENT = "/*db_driver='psycopg%%3A3.3.9',dbapi_level='2.0',dbapi_threadsafety=2,traceparent='00-ab-cd-01'*/"
FRAGMENTS = [
    "select",
    " ",
    "\n",
    "\t",
    "'a  b'",
    "'",
    "E'x\\'",
    '"c  d"',
    '"',
    "$$",
    "$x$",
    "-- c",
    "/*",
    "*/",
    "/* a */",
    ";",
    "$1",
]
SQL = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from([*FRAGMENTS, COMMENT, "é", "(", ",", "1.5e3"]), max_size=14).map("".join),
)


@pytest.mark.parametrize(
    ("sql", "normal"),
    [
        ("  select\n\t1 ;; ", "select 1"),
        ("select 'a  b',\n \"c  d\", $x$ e  f $x$", "select 'a  b', \"c  d\", $x$ e  f $x$"),
        ("select E'it\\'s  ', 1", "select E'it\\'s  ', 1"),
        ("select 1 -- so  it is\n  , 2", "select 1 -- so  it is\n, 2"),
        ("select /* a  /* b */  c */   1", "select /* a  /* b */  c */ 1"),
        ("select 'a'\n  'b'", "select 'a'\n'b'"),
        ("", ""),
        (";", ""),
    ],
)
def test_layout_does_not_count(sql: str, normal: str) -> None:
    assert normalise(sql) == normal


def test_r36_propagation_comments_do_not_count_and_those_of_the_app_do() -> None:
    plain = "select /*+ SeqScan(t) */ 1"
    for carrier in (
        f"{plain} {COMMENT}",
        f"{plain} {COMMENT};",
        f"{COMMENT} {plain}",
        f"{plain} /*traceparent='00-1-2-01'*/",
    ):
        assert normalise(carrier) == plain
    assert normalise("select 1") != normalise(plain)
    assert normalise("select 1 /*app='shop'*/") == "select 1 /*app='shop'*/"
    assert normalise("select 1 /* see traceparent='x' */") == "select 1 /* see traceparent='x' */"
    assert normalise(f"select '{COMMENT[:20]}'") == f"select '{COMMENT[:20]}'"


@pytest.mark.parametrize(
    ("sql", "first"),
    [
        ("select 1", "SELECT"),
        ("/* c */ (Select 1)", "SELECT"),
        ("-- c\ninsert into t", "INSERT"),
        ("", ""),
        ("'x'", ""),
    ],
)
def test_the_verb_is_the_first_word(sql: str, first: str) -> None:
    assert verb(sql) == first


def test_a_query_is_cut_at_its_semicolons_and_nowhere_else() -> None:
    sql = (
        "select ';' ; ; create function f() begin atomic select 1; select case when true then 1 end; end; select (1;2)"
    )
    assert [statement[0].upper for statement in parts(sql)] == ["SELECT", "CREATE", "SELECT"]


@given(SQL)
def test_normalising_is_idempotent_and_keeps_every_string(sql: str) -> None:
    normal = normalise(sql)
    assert normalise(normal) == normal
    kept = [token.text for token in tokens(sql) if token.kind in (Kind.STRING, Kind.NAME)]
    assert [token.text for token in tokens(normal) if token.kind in (Kind.STRING, Kind.NAME)] == kept


@given(SQL)
def test_tokens_joined_are_the_sql(sql: str) -> None:
    found = list(tokens(sql))
    assert "".join(token.text for token in found) == sql
    assert all(sql[token.start : token.end] == token.text for token in found)


@given(SQL)
def test_normalising_changes_nothing_but_blanks_semicolons_and_comments(sql: str) -> None:
    def bare(text: str) -> str:
        return re.sub(r"[ \t\n\r\f\v;]", "", text.replace(COMMENT, ""))

    assert bare(normalise(sql)) == bare(sql)
