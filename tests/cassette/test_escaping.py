"""What is printed of a cassette shows every character and drives no terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.escaping import is_hidden, safe


@given(st.text(st.characters()))
def test_a_safe_text_has_no_hidden_character(text: str) -> None:
    assert not any(map(is_hidden, safe(text)))


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_what_is_visible_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_what_is_hidden_is_named() -> None:
    assert safe("a\x1b[31m\x00\n\x7f\u202e\ud800") == r"a\x1b[31m\x00\n\x7f\u202e\ud800"
