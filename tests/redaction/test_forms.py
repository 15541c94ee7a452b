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


HEX = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("form", "rules"),
    [
        ("grant_type=authorization_code&code=«s3»&code_verifier=«s4»&redirect_uri=x", ("code", "code_verifier")),
        ("client_assertion_type=jwt-bearer&client_assertion=«s3»", ("client_assertion",)),
        ("grant_type=urn%3Adevice&device_code=«s3»&client_id=me", ("device_code",)),
    ],
)
def test_r46_what_a_form_asks_a_token_for_is_masked(form: str, rules: tuple[str, ...]) -> None:
    plain = form.replace("«", "").replace("»", "").encode()
    for masked, paths in (
        Redactor().body(plain, "application/x-www-form-urlencoded", "", "b"),
        Redactor().query(plain, "b"),
    ):
        assert paths == tuple(f"b.{rule}" for rule in rules)
        assert not {"s3", "s4"} & set(dict(parse_qsl(masked.decode())).values())
        assert masked.count(b"=") == plain.count(b"=")


@pytest.mark.parametrize(
    ("query", "path"),
    [("code=s3cret&state=1", "q.code"), (f"key={HEX}", "q.key"), ("a=1&key=AbCdEf0123-456789_abc", "q.key")],
)
def test_r46_a_grant_and_the_key_of_an_api_are_masked_in_a_query(query: str, path: str) -> None:
    masked, paths = Redactor().query(query.encode(), "q")
    assert paths == (path,)
    assert b"s3cret" not in masked
    assert b"456789" not in masked
    assert Redactor().query(masked, "q") == (masked, ())


@pytest.mark.parametrize(
    "query",
    [
        *("code=EUR&amount=3", "key=orders/2026/Report-01.csv", "key=0b9e6a2e-1111-4111-8111-111111111111"),
        *("key=some-long-word-of-an-application", "state=1&codes=2"),
    ],
)
def test_a_code_and_a_key_that_are_no_secret_stay(query: str) -> None:
    assert Redactor().query(query.encode(), "q") == (query.encode(), ())
