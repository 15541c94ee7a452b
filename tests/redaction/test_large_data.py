"""Large data is looked at in pieces: what lies across a cut is found, and nothing else than in one look."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from timetracer_otel.cassette import pieces as giving
from timetracer_otel.cassette.pieces import PIECE_BYTES, SMALL_PIECE_BYTES
from timetracer_otel.redaction import Redactor
from timetracer_otel.redaction.names import NAMES, Names
from timetracer_otel.redaction.patterns import Patterns, _can_assign

NAMES_OF_FILE = Names(extra=("customer_id", "straße", "x" * 300))
BUILT_IN = Names()
PARTS = st.sampled_from(
    [
        *("AKIA", "AKI", "AIza", "eyJ", "-----BEGIN ", "Failing row contains (", "bearer ", "BASIC\t", "Bearer"),
        *("@", "://", "user:pass@", "=", ": ", "--", "'", "password", "passw", "api-key", "API_KEY", "api key"),
        *("customer-id", "straße", "x" * 300, "\N{KELVIN SIGN}", "db.query.parameter.1", "p-w-d", "é"),
    ]
)
FILLERS = st.sampled_from(["~", "-", "é"])
PLACES = st.integers(-320, 10)


def built(filler: str, parts: list[tuple[str, int, int]], size: int = PIECE_BYTES) -> str:
    """Of three pieces, with each part so far from one of the cuts."""
    text = filler * 3 * size
    for part, cut, place in parts:
        at = cut * size + place
        text = text[:at] + part + text[at + len(part) :]
    return text


PLACED = st.lists(st.tuples(PARTS, st.integers(1, 2), PLACES), max_size=3)
TEXTS = st.builds(built, FILLERS, PLACED)
NAMES_KNOWN = st.sampled_from([BUILT_IN, NAMES_OF_FILE])


@contextlib.contextmanager
def in_turns() -> Iterator[None]:
    """As the writer's thread."""
    giving.take_turn()
    try:
        yield
    finally:
        del giving._threads.began_s


@given(TEXTS, NAMES_KNOWN)
def test_large_data_holds_what_one_look_at_all_of_it_finds(text: str, names: Names) -> None:
    _holds_what_one_look_finds(text, names)


@given(st.builds(built, FILLERS, PLACED, st.just(SMALL_PIECE_BYTES)), NAMES_KNOWN)
def test_a_thread_that_takes_turns_finds_the_same(text: str, names: Names) -> None:
    with in_turns():
        assert giving.is_large(len(text))
        _holds_what_one_look_finds(text, names)


def _holds_what_one_look_finds(text: str, names: Names) -> None:
    patterns, data = Patterns(names), text.encode()
    view = data.decode("latin-1")
    assert names.holds(data) == names._holds(data)
    assert names.holds_text(text) == names._holds_text(text)
    assert patterns.shaped(data) == patterns.holds_shape(view)
    assert patterns.suspicious(data) == (patterns.holds_shape(view) or (_can_assign(view) and names._holds(data)))
    expected = patterns.holds_shape(text) or (_can_assign(text) and names._holds_text(text))
    assert patterns.suspicious_text(text) == expected


@given(TEXTS)
def test_a_name_whose_separators_are_taken_out_is_found_however_far_apart_its_letters_are(text: str) -> None:
    data = text.encode()
    is_there = "parameter" in text or "\N{KELVIN SIGN}" in text or BUILT_IN._holds(data.translate(None, b"-_ "))
    assert BUILT_IN.may_name(data) == is_there


@settings(max_examples=20)  # all shapes go over a piece each time
@given(st.sampled_from(NAMES), st.integers(-60, 10))
def test_a_secret_across_a_cut_is_masked(name: str, place: int) -> None:
    secret = "canary-7d1f4a"
    text = "~" * (PIECE_BYTES + place) + f"\n{name}={secret}\n" + "~" * PIECE_BYTES
    assert secret not in Redactor().text(text)
    assert secret.encode() not in Redactor().data(text.encode())
