from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.postgres.test_statements import SQL
from timetracer_otel.wire.postgres.secrets import secrets


def rule_of(name: str) -> str | None:
    last = name.rpartition(".")[2]
    return last if last in ("password", "token") else None


def literals(sql: str) -> list[str]:
    return [sql[start:end] for start, end, _ in secrets(sql, rule_of).literals]


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
        ("select * from t where data->>'password' = $1 and name = $2", {1}),
        ("select * from t where data #>> '{user,token}' = $1 and data->>'name' = $2", {1}),
        ("select jsonb_build_object('name', $1::text, 'password', $2::text, 'x', $3::int)", {2}),
        ("select json_object('token': $1, 'name': $2)", {1}),
        ("update t set data = jsonb_set(coalesce(data, '{}'), '{password}', to_jsonb($1::text)), x = $2", {1}),
        ("select hstore('password', $1), hstore('name', $2)", {1}),
        ("select hstore(array['password'], array[$1])", {1}),
        ("select set_config('app.token', $1, false), set_config('app.name', $2, false)", {1}),
        ("select (row('x', $1)::cred).password, $2", {1}),
        ("select 1 from t where coalesce(password, '') = $1 and coalesce(name, '') = $2", {1}),
        ("select 1 from t where password::varchar(20) = $1 and x::varchar(20) = $2", {1}),
        ('select 1 from t where password collate "C" = $1 and x = $2', {1}),
        ("select 1 from t where $1 = coalesce(trim(u.token), '') and x = $2", {1}),
        ("select 1 from t where token = left($1, 8) and name = right($2, 3)", {1}),
        ("update t set token = case when x = $1 then $2 else $3 end, name = $4", {1, 2, 3}),
        ("update t set password = v.p from (values (1, $1, $2), (2, $3, $4)) v (id, p, n) where t.id = v.id", {1, 3}),
        ("update t set password = v.password from (values ($1, $2)) as v (id, password)", {2}),
        ("update t set name = v.n from unnest($1::int[], $2::text[], $3::text[]) v (id, token, n)", {2}),
        ("with v (id, p) as (values ($1::int, $2)) update t set token = p from v where v.id = t.id", {2}),
        ("insert into t (name, password) select * from unnest($1::text[], $2::text[])", {2}),
        ("insert into t (name, password) select v.b, v.a from (values ($1, $2, $3)) v (a, b, c)", {1, 2}),
        ("update t set (name, password) = (select $1, $2)", {2}),
        ("copy (select token from t where x = $1) to $2", set()),
        ("select (a, token) not in (($1, $2), ($3, $4))", {2, 4}),
    ],
)
def test_parameters_of_secret_columns_are_found(sql: str, found: set[int]) -> None:
    assert {index + 1 for index in secrets(sql, rule_of).parameters} == found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("insert into t (name, password) values ('a', 'it''s'), ('c', E'\\'d')", ["'it''s'", "E'\\'d'"]),
        ("update t set password = $x$y$x$ where name = 'n'", ["$x$y$x$"]),
        ("CREATE ROLE x LOGIN ENCRYPTED PASSWORD 'p' VALID UNTIL 'z'", ["'p'"]),
        ("alter user x password 'y'; select 'z'", ["'y'"]),
        ("select 'password'", []),
        ("insert into t (name, password) (values ('v', 'S'))", ["'S'"]),
        ("insert into t (name, password) ((values ('v', 'S'), ((select 'x'), 'T')))", ["'S'", "'T'"]),
        ("insert into t (name, password) select * from (values ('v', 'S')) v (name, password)", ["'S'"]),
        ("DO $$ BEGIN INSERT INTO t (name, password) VALUES ('d', 'S'); END $$", ["'S'"]),
        ("DO $$ BEGIN UPDATE t SET password = $q$S$q$, name = 'n'; END $$", ["$q$S$q$"]),
        (
            "create function f() returns void as $$ update t set token = $1 || 'S' where a = 'b' $$ language sql",
            ["'S'"],
        ),
        ("SET app.token = 'S'", ["'S'"]),
        ("set app.token to 'S'", ["'S'"]),
        ("EXECUTE pp('S', 1, $x$y$x$)", ["'S'", "$x$y$x$"]),
        ("select data->'token'->>'x' = 'S', data->>'x' = 'y'", ["'S'"]),
    ],
)
def test_literals_of_secret_columns_are_found(sql: str, found: list[str]) -> None:
    assert literals(sql) == found


LONG: Sequence[Callable[[int], str]] = [
    lambda n: "SELECT " + "token=" * n,
    lambda n: "SELECT " + "token='a' OR " * n,
    lambda n: "SELECT " + "(" * n,
    lambda n: "(token," * n,
    lambda n: "(token,a)=" * n,
    lambda n: "((token,a)=" * n,
    lambda n: "token = (" * n,
    lambda n: "(" * n + "token,a)=1" + ",1)=1" * n,
    lambda n: "INSERT INTO t (token) " * n,
    lambda n: "INSERT INTO t (token) VALUES (" * n,
    lambda n: "INSERT INTO t (token) ((" * n,
    lambda n: "INSERT (" * n,
    lambda n: "INSERT " * n,
    lambda n: "INSERT INTO t (token) VALUES " + "('a')," * n,
    lambda n: "INSERT INTO t (" + "token," * n + "x) VALUES " + "('a')," * n,
    lambda n: "INSERT INTO t (token) " + "SELECT " * n,
    lambda n: "lower(" * n + "token" + ")" * n + " = 'x'",
    lambda n: "token = lower(" * n,
    lambda n: "a." * n + "token = 'x'",
    lambda n: "token." * n,
    lambda n: "token NOT " * n,
    lambda n: "token IS NOT DISTINCT FROM " * n,
    lambda n: "token BETWEEN " * n,
    lambda n: "token->>'token'" * n,
    lambda n: "(ROW(1)).token" + ".token" * n,
    lambda n: "(" * n + "1" + ").token" * n,
    lambda n: "jsonb_build_object('token', " * n,
    lambda n: "(VALUES (1)) v (token) " * n,
    lambda n: "v (token) AS " * n,
    lambda n: "v (" + "token," * n + "x) AS (VALUES " + "(1)," * n,
    lambda n: "case when token = " * n,
    lambda n: "x AS token " * n,
    lambda n: "CREATE ATOMIC " + ";" * n,
    lambda n: "".join(f"DO $a{number}$ " for number in range(n)),
    lambda n: ", ".join(f"{name} = $1" for name in ("password", "token")) * n,
]


def steps(sql: str) -> int:
    """Lines of the library that run for `sql`."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        secrets(sql, rule_of)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("make", LONG, ids=lambda make: make(1))
def test_the_steps_grow_with_the_length_of_the_statement_and_no_faster(make: Callable[[int], str]) -> None:
    assert steps(make(400)) < 2.3 * steps(make(200)) + 100


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
    found = secrets(sql, rule_of)
    assert all(0 <= start < end <= len(sql) for start, end, _ in found.literals)
    assert all(f"${index + 1}" in sql or "$" in sql for index in found.parameters)
