from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.redaction import Redactor

KEY = b"key"


def mark(rule: str, secret: str) -> bytes:
    return Redactor(KEY).marker(rule, secret).encode()


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        (b"authorization", b"Bearer tok", b"Bearer " + mark("authorization", "tok")),
        (b"Proxy-Authorization", b"Basic dTpw", b"Basic " + mark("proxy_authorization", "dTpw")),
        (b"Authorization", b"tok", mark("authorization", "tok")),
        (b"Authorization", b"my tok", mark("authorization", "my tok")),
        (
            b"COOKIE",
            b"sid=a; b=c=d;e=;  x",
            b"sid=%b; b=%b;e=;  %b" % (*(mark("cookie", v) for v in ("a", "c=d", "x")),),
        ),
        (
            b"Set-Cookie",
            b"sid=a; Path=/; HttpOnly; odd=1",
            b"sid=%b; Path=/; HttpOnly; odd=%b" % (mark("cookie", "a"), mark("cookie", "1")),
        ),
        (b"X-Api-Key", b"\xe9", Redactor(KEY).marker("x_api_key", b"\xe9").encode()),
        (b"x-amz-security-token", b"Fwo", mark("x_amz_security_token", "Fwo")),
        (b"Location", b"/cb#AKIAIOSFODNN7EXAMPLE", b"/cb#" + mark("aws_access_key_id", "AKIAIOSFODNN7EXAMPLE")),
    ],
)
def test_r46_a_secret_header_is_masked_in_any_case(name: bytes, value: bytes, masked: bytes) -> None:
    assert Redactor(KEY).headers([[name, value]], "h") == ([[name, masked]], (f"h.{name.decode().lower()}",))


def test_order_case_and_duplicates_stay_and_paths_count_the_duplicates() -> None:
    pairs = [(b"Set-Cookie", b"a=1"), (b"X", b"\xe9"), (b"set-cookie", b"b="), (b"SET-COOKIE", b"c=1"), (b"X", b"")]
    masked, paths = Redactor(KEY).headers(pairs, "result.headers")
    one = mark("cookie", "1")
    assert masked == [
        [b"Set-Cookie", b"a=" + one],
        [b"X", b"\xe9"],
        [b"set-cookie", b"b="],
        [b"SET-COOKIE", b"c=" + one],
        [b"X", b""],
    ]
    assert paths == ("result.headers.set-cookie[0]", "result.headers.set-cookie[2]")


def test_a_cookie_that_comes_back_carries_the_marker_of_the_one_that_was_set() -> None:
    redactor = Redactor()
    (answer, asked), _ = redactor.headers([(b"set-cookie", b"sid=abc; Path=/"), (b"cookie", b"sid=abc")], "h")
    assert answer[1] == asked[1] + b"; Path=/"


@pytest.mark.parametrize("name", [b"sec-websocket-key", b"etag", b"x-next-token", b"authorization-type", b"\xe9"])
def test_other_headers_stay(name: bytes) -> None:
    assert Redactor().headers([[name, b"abc\xff"]], "h") == ([[name, b"abc\xff"]], ())


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"Cookie", b"Set-Cookie", b"Authorization", b"token", b"x"]),
            st.binary() | st.sampled_from([b"a=b; c", b"Bearer  x", b"a=; Path=/; =z", b"Bearer "]),
        )
    )
)
def test_redaction_of_headers_is_idempotent(pairs: list[tuple[bytes, bytes]]) -> None:
    once, _ = Redactor().headers(pairs, "h")
    assert [name for name, _ in once] == [name for name, _ in pairs]
    assert Redactor().headers(once, "h") == (once, ())


SIGNED = [
    b'Digest username="ann", realm="r", nonce="n1", uri="/a", qop=auth, nc=00000001, response="c4nary"',
    b'OAuth realm="r",oauth_consumer_key="c4nary-key", oauth_token="c4nary-token", oauth_signature="c4nary%3D"',
    b"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/s3/aws4_request, "
    b"SignedHeaders=host;x-amz-date, Signature=c4nary",
    b'Hawk id="ann", ts="1", nonce="x", mac="c4nary="',
]


@pytest.mark.parametrize("value", SIGNED, ids=lambda value: value.split()[0].decode())
def test_r46_credentials_that_sign_are_masked_field_by_field(value: bytes) -> None:
    redactor = Redactor(KEY)
    ((_, masked),), paths = redactor.headers([[b"Authorization", value]], "h")
    assert paths == ("h.authorization",)
    for secret in (b"ann", b"c4nary", b"AKIAIOSFODNN7EXAMPLE", b"n1"):
        assert secret not in masked
    assert masked.count(b"=") >= value.count(b"=") - value.count(b"%3D") - 1
    for kept in (b'realm="r"', b"qop=auth", b"/20260101/eu-west-1/s3/aws4_request", b"host;x-amz-date"):
        assert (kept in masked) == (kept in value)
    assert redactor.headers([[b"Authorization", masked]], "h") == ([[b"Authorization", masked]], ())


def test_a_scheme_that_signs_and_has_no_fields_is_masked_as_a_whole() -> None:
    assert Redactor(KEY).headers([[b"Authorization", b"OAuth c4nary"]], "h")[0] == [
        [b"Authorization", b"OAuth " + mark("authorization", "c4nary")]
    ]


ANY_NAME = st.sampled_from(
    (b"Host", b"accept", b"X-Trace", b"Cookie", b"Set-Cookie", b"Authorization", b"x-api-key", b"")
)
ANY_VALUE = st.sampled_from(
    (
        *(b"", b"shop", b"sid=a", b"Bearer tok", b"bear", b"er tok", b"password=hunter2", b"pass", b"word=x", b"\xe9"),
        *(b"/cb#AKIAIOSFODNN7EXAMPLE", b"AKIA", b"IOSFODNN7EXAMPLE", b"http:", b"//u:p@h/", b"http://u:p@h/"),
    )
)


@given(st.lists(st.tuples(ANY_NAME, ANY_VALUE), max_size=6))
def test_headers_are_masked_together_as_each_is_alone(pairs: list[tuple[bytes, bytes]]) -> None:
    redactor = Redactor(KEY)
    alone = [redactor.headers([pair], "h")[0][0] for pair in pairs]
    masked, paths = redactor.headers(pairs, "h")
    assert masked == alone
    assert len(paths) == sum(list(old) != new for old, new in zip(pairs, masked, strict=True))
