from __future__ import annotations

import uuid
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.redaction import MARKER, Redactor, find_markers, is_marker
from timetracer_otel.redaction.markers import percent_encoded


@given(st.text())
def test_text_and_its_bytes_get_the_same_marker_and_a_marker_stays_itself(secret: str) -> None:
    redactor = Redactor()
    marker = redactor.marker("token", secret)
    assert is_marker(marker)
    assert redactor.marker("token", secret.encode()) == marker
    assert Redactor().marker("password", marker) == marker


def test_equal_secrets_are_equal_under_one_key_only() -> None:
    one, other = Redactor(b"one"), Redactor(b"other")
    assert one.marker("token", "a") == one.marker("token", "a") != one.marker("token", "b")
    assert one.marker("token", "a") != other.marker("token", "a")
    assert Redactor().marker("token", "a") != Redactor().marker("token", "a")


def test_a_marker_names_its_rule_and_six_digits() -> None:
    match = MARKER.fullmatch(Redactor().marker("api_key", "x"))
    assert match is not None
    assert match[1] == "api_key"
    assert len(match[2]) == 6


def test_markers_are_found_in_both_spellings_and_given_in_the_plain_one() -> None:
    encoded = percent_encoded(b"[redacted:token#00ff00]").decode()
    assert unquote(encoded) == "[redacted:token#00ff00]"
    assert find_markers(f"a [redacted:jwt#123abc] b ?x={encoded}&y") == [
        "[redacted:jwt#123abc]",
        "[redacted:token#00ff00]",
    ]
    assert is_marker(encoded)


@pytest.mark.parametrize(
    "text", ["", "[redacted]", "[redacted:token#12345]", "x[redacted:token#123456]", "[redacted:T#123456]"]
)
def test_what_only_resembles_a_marker_is_none(text: str) -> None:
    assert not is_marker(text)


@given(st.binary(min_size=16, max_size=16))
def test_a_uuid_stands_in_for_a_uuid_and_is_known_again(secret: bytes) -> None:
    redactor = Redactor()
    stand_in = redactor.stand_in("token", secret, "uuid")
    assert uuid.UUID(bytes=stand_in).version == 8
    assert stand_in == redactor.stand_in("token", secret, "uuid")
    assert Redactor().stand_in("token", stand_in, "uuid") == stand_in


@given(st.binary())
def test_integers_stand_in_within_their_type(secret: bytes) -> None:
    redactor = Redactor()
    assert 1 <= redactor.stand_in("token", secret, "int2") < 2**15
    assert 1 <= redactor.stand_in("token", secret, "int4") < 2**31
    assert 1 <= redactor.stand_in("token", secret, "int8") < 2**63
    assert is_marker(redactor.stand_in("token", secret, "bytea").decode())


def test_stand_ins_are_equal_for_equal_secrets_only() -> None:
    redactor = Redactor(b"key")
    assert redactor.stand_in("token", b"1", "int8") == redactor.stand_in("token", b"1", "int8")
    assert redactor.stand_in("token", b"1", "int8") != redactor.stand_in("token", b"2", "int8")
