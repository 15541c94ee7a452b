from __future__ import annotations

import pytest

from timetracer_otel.drivers.statements import mask_statement, rules_of_parameters
from timetracer_otel.redaction import Redactor

REDACTOR = Redactor(b"key")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE users SET password = «abc» WHERE name = 'ann'",
        "INSERT INTO users (name, token) VALUES ('ann', «abc»)",
        "SELECT 1 FROM users WHERE u.api_key = «abc» AND name = 'ann'",
    ],
)
def test_a_literal_under_a_secret_name_is_masked_and_the_rest_stays(sql: str) -> None:
    masked, found = mask_statement(sql.replace("«", "'").replace("»", "'"), REDACTOR)
    ((secret, marker),) = found.items()
    assert secret == "abc"
    assert masked == sql.replace("«abc»", f"'{marker}'")


def test_a_statement_without_secrets_is_the_same() -> None:
    assert mask_statement("SELECT name FROM users WHERE id = 7", REDACTOR) == (
        "SELECT name FROM users WHERE id = 7",
        {},
    )


def test_a_known_secret_is_masked_where_a_client_put_it_into_the_text() -> None:
    redactor = REDACTOR.of_trace()
    redactor.value({"token": "abcdef"}, "")
    assert mask_statement("SELECT 'abcdef'", redactor)[0] == f"SELECT '{redactor.marker('token', 'abcdef')}'"


def test_parameters_have_the_rules_of_the_names_that_they_stand_for() -> None:
    sql = "INSERT INTO users (name, token, password) VALUES ($1, $2, crypt($3, $4))"
    assert rules_of_parameters(sql, REDACTOR) == {1: "token", 2: "password", 3: "password"}
