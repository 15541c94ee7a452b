"""What servers of MongoDB before 4.2 say of duplicates: values without the names of their fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.redaction import Redactor

SAID = "E11000 duplicate key error collection: app.users index: {} dup key: {{ {} }}"


def masked(index: str, values: str) -> str:
    """What is left of `values`."""
    redactor, said = Redactor(b"key"), SAID.format(index, values)
    found = redactor.text(said)
    assert redactor.text(found) == found
    before, _, after = found.partition("{ ")
    assert before == said.partition("{ ")[0]
    return after.removesuffix(" }")


def marker(rule: str, value: str) -> str:
    return Redactor(b"key").marker(rule, value)


def test_r46_values_are_masked_by_the_place_of_their_field_in_the_index() -> None:
    secret = marker("token", "x }, y")
    assert masked("email_1_token_-1", ': "a@b.c", : "x }, y"') == f': "a@b.c", : "{secret}"'
    assert masked("app.users.$token_1", ": 17") == ": " + marker("token", "17")


def test_r46_where_places_do_not_agree_all_values_are_masked() -> None:
    assert masked("token_1", ': "a", : b') == ": " + marker("token", '"a", : b')
    assert masked("unique_token", ': "a", : 5') == ": " + marker("secret", '"a", : 5')


@pytest.mark.parametrize("index", ["email_1", "_id_", "token_count_1", "by_age"])
def test_other_values_stay(index: str) -> None:
    assert masked(index, ': "password"') == ': "password"'


@given(st.text("{}:, \"'\\\r\na1_[]", max_size=40), st.sampled_from(["token_1", "a_1_token_1", "my_token"]))
def test_masking_ends_on_anything(values: str, index: str) -> None:
    redactor = Redactor(b"key")
    found = redactor.text(SAID.format(index, values))
    assert redactor.text(found) == found
