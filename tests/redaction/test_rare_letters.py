"""Searches by a rare letter find what a plain search finds."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.redaction import rare_letters
from timetracer_otel.redaction.names import NAMES, Names
from timetracer_otel.redaction.patterns import Patterns
from timetracer_otel.redaction.rare_letters import LONG

TEXTS = st.text(alphabet="ab!", max_size=60)
SEEN = (
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "x@y://",
    "-----BEGIN ",
    "Failing row contains (",
    "bearer ",
    "BASIC\t",
    "Bearer ",
)


@given(TEXTS, st.integers(0, 2))
def test_a_word_is_found_by_any_of_its_letters(text: str, letter: int) -> None:
    for view in (text, "b" * 40 + text, text + "a" * 40):
        assert rare_letters.holds(view, "ba!", letter) == ("ba!" in view)


@given(TEXTS)
def test_a_pattern_is_found_by_its_first_letter_and_may_look_back(text: str) -> None:
    pattern = re.compile("a(?:!(?<=ba!)|b)")
    for view in (text, "a" * 40 + text):
        assert rare_letters.finds(view, pattern, "a", "b") == (pattern.search(view) is not None)


def test_where_no_other_letter_of_a_hit_is_there_no_pattern_is_run() -> None:
    pattern = re.compile("ax")
    assert rare_letters.finds("a" * 40 + "ax", pattern, "a", "xy")
    assert not rare_letters.finds("a" * 40 + "ax", pattern, "a", "y")  # as it would be in a wrong call


def test_a_name_is_found_where_its_rare_letter_is_frequent() -> None:
    own = ("überkey", "x", "日本", "1234")
    names = Names(extra=own)
    for name in (*NAMES, *own):
        assert names.holds(b"0123456789abcdef" * LONG + name.encode()), name
        assert names.holds("".join(letter * 40 for letter in name).encode() + b" " * LONG + name.encode()), name


def test_long_text_holds_what_short_text_holds() -> None:
    names = Names()
    patterns = Patterns(names)
    for word in (*SEEN, "nothing", "AKI", "eyj", "x://", "@y:/"):
        for before in ("", "I b B J @ E F " * 40):
            assert patterns.holds_shape(before + word + " " * LONG) == patterns.holds_shape(before + word), word
    for name in (*NAMES, "nothing", "pass word"):
        for before in ("", "w p c k h g " * 40):
            assert names.holds((before + name).encode() + b" " * LONG) == names.holds(name.encode()), name
