from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.postgres.test_statements import SQL
from timetracer_otel.wire.postgres.secrets import secret_literals, secret_parameters, secrets


def is_secret(name: str) -> bool:
    return name in ("password", "token")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("INSERT INTO t (name, password) VALUES ($1,$2),($3,$4)", {2, 4}),
        ('insert into s.t (name, "password") select $1, $2 from x where y = $3', {2}),
        ("insert into t (token) values ($1) on conflict (id) do update set password = $2, n = $3", {1, 2}),
        ("insert into t (name, password) values ($1, crypt($2, gen_salt($3))) returning id", {2, 3}),
        ("UPDATE t SET password = $2, name = $1 WHERE t.token = $3 and id = $4", {2, 3}),
        ("update t set (name, token) = ($1, $2) where id = $3", {2}),
        ("update t set (name, token) = row ($1, $2) where id = $3", {2}),
        ("select * from t where (name, token) in (($1, $2), ($3, $4))", {2, 4}),
        ("select * from t where t.token IN ($1, $2) and x = $3", {1, 2}),
        ("select * from t where token not in ($1) or x = $2", {1}),
        ("select 1 where $1 = u.token and $2 = id", {1}),
        ("select 1 where $1::text = token", {1}),
        ("select token = ANY($1::text[]), $2", {1}),
        ("select 1 where token is not distinct from $1 and x = $2", {1}),
        ("select 1 where token between $1 and $2 and x > $3", {1, 2}),
        ("select 1 where lower(token) = lower($1) limit $2", {1}),
        ("select 1 where token::text like $1 || '%' and a = $2", {1}),
        ("select f(token => $1, b => $2)", {1}),
        ("select $1::text as password, $2", {1}),
        ("select case when token = $1 then $2 else $3 end", {1}),
        ("select password from t where id = $1", set()),
        ("select token, $1 from t", set()),
        ("insert into t values ($1)", set()),
        ("insert into t select f(token), $1 from u where x in ($2)", set()),
        ("merge into t using u on t.id = u.id when not matched then insert (id, token) values ($1, $2)", {2}),
        ("with a as (insert into t (token) values ($1)) insert into u (x, password) values ($2, $3)", {1, 3}),
        ("insert into s.t as x (id, token) overriding system value values ($1, $2)", {2}),
        ("select 'password = $1' -- token = $2", set()),
        ("select tokens, x = $1, password_hint = $2 from t", set()),
    ],
)
def test_parameters_of_secret_columns_are_found(sql: str, found: set[int]) -> None:
    assert {index + 1 for index in secret_parameters(sql, is_secret)} == found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("insert into t (name, password) values ('a', 'it''s'), ('c', E'\\'d')", ["'it''s'", "E'\\'d'"]),
        ("update t set password = $x$y$x$ where name = 'n'", ["$x$y$x$"]),
        ("CREATE ROLE x LOGIN ENCRYPTED PASSWORD 'p' VALID UNTIL 'z'", ["'p'"]),
        ("alter user x password 'y'; select 'z'", ["'y'"]),
        ("select 'password'", []),
    ],
)
def test_literals_of_secret_columns_are_found(sql: str, found: list[str]) -> None:
    assert [sql[start:end] for start, end in secret_literals(sql, is_secret)] == found


@given(
    st.one_of(
        SQL,
        st.lists(
            st.sampled_from(
                [
                    "insert",
                    "into",
                    "t",
                    "(",
                    ")",
                    "token",
                    ",",
                    "values",
                    "=",
                    "$1",
                    "in",
                    "not",
                    "'x'",
                    ".",
                    "as",
                    "any",
                    "select",
                    "::",
                    "between",
                    "and",
                ]
            ),
            max_size=20,
        ).map(" ".join),
    )
)
def test_any_text_gives_positions_within_it(sql: str) -> None:
    found = secrets(sql, is_secret)
    assert all(0 <= start < end <= len(sql) for start, end in found.literals)
    assert all(f"${index + 1}" in sql or "$" in sql for index in found.parameters)
