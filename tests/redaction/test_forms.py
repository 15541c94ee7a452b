from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.redaction import Redactor


def test_r46_the_api_key_of_a_query_is_masked_and_the_rest_stays_byte_for_byte() -> None:
    redactor = Redactor(b"key")
    masked, paths = redactor.query(b"a=%7e+x&api_key=s3+cr%25t&&b&NextToken=n%3D&a=", "request.query")
    before, _, after = masked.partition(b"&api_key=")
    assert before == b"a=%7e+x"
    assert after.partition(b"&")[2] == b"&b&NextToken=n%3D&a="
    assert dict(parse_qsl(masked.decode()))["api_key"] == redactor.marker("api_key", "s3 cr%t")
    assert paths == ("request.query.api_key",)


def test_a_secret_in_the_value_of_another_name_is_masked_by_pattern() -> None:
    masked, paths = Redactor().query(b"next=%2Fcb%3Ftoken%3Dsecret%26x%3D1&x=1", "q")
    assert b"secret" not in masked
    assert masked.endswith(b"%26x%3D1&x=1")
    assert paths == ("q.next",)


def test_a_bare_secret_is_masked_and_keeps_the_syntax() -> None:
    masked, paths = Redactor().query(b"AKIAIOSFODNN7EXAMPLE&a=1", "q")
    assert parse_qsl(masked.decode(), keep_blank_values=True)[1] == ("a", "1")
    assert b"AKIA" not in masked
    assert paths == ("q",)


@pytest.mark.parametrize("data", [b"", b"token=", b"token", b"=x", b"&&", b"page_token=x&cursor=%zz", b"\x00=\xff&%"])
def test_a_form_without_secrets_is_the_same_object(data: bytes) -> None:
    assert Redactor().query(data, "q") == (data, ())
    assert Redactor().query(data, "q")[0] is data


@given(
    st.lists(st.sampled_from([*b"&=+%?#", *b"token", 0, 255]) | st.just(256), max_size=20).map(
        lambda codes: b"".join(b"password" if code == 256 else bytes([code]) for code in codes)
    )
)
def test_redaction_of_forms_is_idempotent(data: bytes) -> None:
    once, _ = Redactor().query(data, "q")
    assert Redactor().query(once, "q") == (once, ())
