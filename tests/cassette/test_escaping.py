"""What is printed of a cassette shows every character and drives no terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.strategies import value_or_blob
from timetracer_otel.cassette import Value
from timetracer_otel.cassette.escaping import is_hidden, safe, shown, visible_json, words


@given(st.text(st.characters()))
def test_a_safe_text_has_no_hidden_character(text: str) -> None:
    assert not any(map(is_hidden, safe(text)))


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_what_is_visible_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_what_is_hidden_is_named() -> None:
    assert safe("a\x1b[31m\x00\n\x7f\u202e\ud800") == r"a\x1b[31m\x00\n\x7f\u202e\ud800"


@given(value_or_blob)
def test_a_value_is_shown_as_python_writes_it(value: Value) -> None:
    assert shown(value) == repr(value)
    assert words(value) == (value if isinstance(value, str) else repr(value))


@pytest.mark.parametrize("number", [10**5000, -(10**5000), 1 << 80_000_000], ids=["large", "negative", "ten megabytes"])
def test_an_integer_of_any_size_is_shown_at_once(number: int) -> None:
    text = shown({"total": [number]})
    assert int(text.removeprefix("{'total': [").removesuffix("]}"), 16) == number
    assert words(number) == hex(number)


@given(st.text(st.characters()))
def test_visible_json_means_the_same(text: str) -> None:
    written = json.dumps([text], indent=1, ensure_ascii=False)
    assert json.loads(visible_json(written)) == [text]
    assert not any(map(is_hidden, visible_json(written).replace("\n", "")))
