from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.redaction import Redactor, is_marker, is_structured
from timetracer_otel.redaction.codings import codings_of, decode, encode

SECRET = b'{"user":{"Token":"C4nary"},"n":1}'
TYPES = (
    *(
        "application/json",
        "application/problem+json; charset=utf-8",
        "application/x-ndjson",
        "application/x-amz-json-1.0",
    ),
    *("text/json", "text/plain", "", "application/csp-report"),
)


@pytest.mark.parametrize("content_type", TYPES)
def test_json_is_masked_as_json_also_where_the_type_does_not_say_so(content_type: str) -> None:
    masked, paths = Redactor(b"key").body(SECRET, content_type, "", "body")
    assert json.loads(masked) == {"user": {"Token": Redactor(b"key").marker("token", "C4nary")}, "n": 1}
    assert paths == ("body.$..Token",)


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        (b'{"a": "b+c", "password": "C4na&ry"}', b'{"a": "b+c", "password": "%b"}'),
        (b' [\n{"a": "%41&b=1", "password": "C4na&ry"}]', b' [\n{"a": "%%41&b=1", "password": "%b"}]'),
        (b'<user a="b+c" password="C4na&ry"/>', b'<user a="b+c" password="%b"/>'),
    ],
    ids=["an object", "a list", "XML"],
)
def test_what_curl_and_urllib_call_a_form_is_masked_as_what_it_is(body: bytes, masked: bytes) -> None:
    """As a form it was cut in two inside the secret, and all of it was spelled anew."""
    redactor = Redactor(b"key")
    marker = redactor.marker("password", "C4na&ry").encode()
    assert redactor.body(body, "application/x-www-form-urlencoded", "", "body")[0] == masked % marker


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "gzip, zstd", "GZIP"])
def test_r47_a_coded_body_is_decoded_masked_and_coded_again(coding: str) -> None:
    codings = tuple(coding.lower().split(", "))
    masked, paths = Redactor().body(encode(SECRET, codings), "application/json", coding, "b")
    decoded = decode(masked, codings)
    assert decoded
    assert b"C4nary" not in decoded
    assert b"[redacted:token#" in decoded
    assert paths == ("b.$..Token",)


def test_a_coded_body_without_secrets_keeps_the_sender_s_bytes() -> None:
    data = gzip.compress(b'{"a":1}', compresslevel=1, mtime=5)
    assert Redactor().body(data, "application/json", "gzip", "b")[0] is data


def test_a_body_whose_coding_header_lies_is_masked_as_it_is() -> None:
    assert b"C4nary" not in Redactor().body(SECRET, "application/json", "gzip", "b")[0]


def test_a_body_in_a_coding_that_nobody_here_can_undo_is_masked_whole() -> None:
    masked, paths = Redactor().body(b"\x8b\x02\x80", "application/json", "br", "b")
    assert is_marker(masked.decode())
    assert paths == ("b",)
    assert Redactor().body(masked, "application/json", "br", "b") == (masked, ())


def test_r46_the_password_of_a_form_is_masked() -> None:
    masked, paths = Redactor().body(
        b"user=bob&password=C4nary", "application/x-www-form-urlencoded; charset=utf-8", "", "b"
    )
    assert masked.startswith(b"user=bob&password=%5Bredacted%3Apassword%23")
    assert paths == ("b.password",)


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "UTF-32"])
def test_wide_text_is_masked_and_stays_wide(charset: str) -> None:
    data = "é password='C4nary' x".encode(charset)
    masked, paths = Redactor().body(data, f"text/plain; charset={charset}", "", "b")
    assert masked.decode(charset).startswith("é password='[redacted:password#")
    assert paths == ("b",)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-16"])
def test_wide_json_is_masked_without_being_named(encoding: str) -> None:
    masked, _ = Redactor().body(SECRET.decode().encode(encoding), "application/json", "", "b")
    assert "[redacted:token#" in json.loads(masked)["user"]["Token"]


CLEAN = {
    "none": (b"", "application/json"),
    "binary with =": (b"\x00=\xff=password\x00=\x89PNG&token", "application/octet-stream"),
    "binary form": (b"\xff\xfe=\x00&=%", "application/x-www-form-urlencoded"),
    "odd wide text": ("abc".encode("utf-16-le") + b"\x01", "text/plain; charset=utf-16-le"),
    "invalid JSON": (b'{"a": tok', "application/json"),
    "multipart without boundary": (b"--x\r\n", "multipart/form-data"),
    "nonsense type": (b"abc", ";;=/"),
}


@pytest.mark.parametrize("coding", ["", "identity", "gzip"])
@pytest.mark.parametrize(("data", "content_type"), CLEAN.values(), ids=CLEAN.keys())
def test_r47_a_body_without_secrets_is_the_same_object(data: bytes, content_type: str, coding: str) -> None:
    masked, paths = Redactor().body(data, content_type, coding, "b")
    assert masked is data
    assert paths == ()


def test_r47_a_body_of_thirty_megabytes_without_secrets_is_the_same_object() -> None:
    data = b'[{"id": 1, "key": "some words and more of them"}]' * 600_000
    assert Redactor().body(data, "application/json", "", "b")[0] is data


KINDS = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "text/plain",
    "text/plain; charset=utf-16",
]


@given(
    st.binary()
    | st.lists(st.sampled_from([b"--b", b"\r\n", b'"token"', b":", b'"', b"=", b"password", b"x", b"&", b"{"])).map(
        b"".join
    ),
    st.sampled_from(KINDS) | st.text(),
    st.sampled_from(["", "gzip", "deflate", "zstd", "br"]),
)
def test_any_body_of_any_type_survives_and_masking_again_changes_nothing(
    data: bytes, content_type: str, coding: str
) -> None:
    once, _ = Redactor().body(data, content_type, coding, "b")
    assert Redactor().body(once, content_type, coding, "b") == (once, ())


BOTH_WAYS = {
    "lines of JSON": (b'{"a":1}\n{"token":"C4nary"}\n', "application/x-ndjson", ""),
    "JSON after a BOM": (b'\xef\xbb\xbf{"token":"C4nary"}', "application/json", ""),
    "JSON in JSON": (json.dumps({"data": json.dumps({"token": "C4nary"})}).encode(), "application/json", ""),
    "JSON in a form": (b"data=%7B%22token%22%3A%22C4nary%22%7D&a=1", "application/x-www-form-urlencoded", ""),
    "a name that is percent-encoded": (b"pass%77ord=C4nary", "application/x-www-form-urlencoded", ""),
    "a name that is there twice": (b'{"token":1.50,"token":"C4nary"}', "application/json", ""),
    "a field twice": (b"token=a&token=C4nary", "application/x-www-form-urlencoded", ""),
    "text with a BOM of UTF-16": ("token=C4nary".encode("utf-16"), "text/plain", ""),
    "XML": (b"<?xml version='1.0'?><a><Token>C4nary</Token></a>", "application/xml", ""),
    "HTML": (b'<form><input name="csrfmiddlewaretoken" value="C4nary"></form>', "text/html", ""),
    "several codings": (gzip.compress(zlib.compress(b'{"token":"C4nary"}')), "application/json", "deflate, gzip"),
    "raw deflate": (zlib.compress(b'{"token":"C4nary"}')[2:-4], "application/json", "deflate"),
    "a coding nobody knows": (b"C4nary", "application/json", "br"),
    "an event stream": (b'event: login\ndata: {"token": "C4nary"}\n\n', "text/event-stream", ""),
    "GraphQL": (b'{"query":"mutation { login(password: \\"C4nary\\") { id } }"}', "application/json", ""),
}


@pytest.mark.parametrize("name", BOTH_WAYS)
@pytest.mark.parametrize("path", ["request.body", "result.body"])
def test_r46_a_secret_in_any_kind_of_body_is_masked_both_ways(name: str, path: str) -> None:
    data, content_type, coding = BOTH_WAYS[name]
    redactor = Redactor(b"key")
    masked, paths = redactor.body(data, content_type, coding, path)
    plain = decode(masked, codings_of(coding)) if coding not in ("", "br") else masked
    assert plain is not None
    for spelled in (plain, plain.decode("utf-16", "replace").encode("utf-8", "replace")):
        assert b"C4nary" not in spelled
    assert paths
    assert all(each.startswith(path) for each in paths)
    assert redactor.body(masked, content_type, coding, path) == (masked, ())


STRUCTURED = {
    ("application/json", ""): True,
    ("application/vnd.api+json; charset=utf-8", ""): True,
    ("application/x-ndjson", ""): True,
    ("application/x-www-form-urlencoded", ""): True,
    ("multipart/form-data; boundary=x", ""): True,
    ("text/html", ""): True,
    ("application/soap+xml", ""): True,
    ("image/svg+xml", ""): True,
    ("text/plain; charset=UTF-16", ""): True,
    ("image/png", "gzip"): True,
    ("application/octet-stream", "br"): True,
    ("image/png", "identity"): False,
    ("text/plain", ""): False,
    ("text/csv", ""): False,
    ("application/octet-stream", ""): False,
    ("video/mp4", ""): False,
    ("", ""): False,
}


@pytest.mark.parametrize(("kind", "is_whole"), STRUCTURED.items())
def test_what_must_be_masked_as_a_whole_is_told_by_its_type(kind: tuple[str, str], is_whole: bool) -> None:
    assert is_structured(*kind) is is_whole


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=utf-16", "; charset=utf-16be"])
@pytest.mark.parametrize("tail", [b"", b"x"])
def test_the_mark_of_a_wide_encoding_counts_whatever_the_charset_says(encoding: str, charset: str, tail: bytes) -> None:
    text = "\ufeffpassword='C4nary' é"
    masked, paths = Redactor(b"key").body(text.encode(encoding) + tail, f"text/plain{charset}", "", "b")
    marker = Redactor(b"key").marker("password", "C4nary")
    assert masked == text.replace("C4nary", marker).encode(encoding) + tail
    assert paths == ("b",)


def test_json_with_a_byte_order_mark_is_json_whatever_its_type() -> None:
    data = b'\xef\xbb\xbf{"token":{"v":"C4nary"}}'
    assert Redactor(b"key").body(data, "text/plain", "", "b")[1] == ("b.$..token",)


def test_a_damaged_coded_body_is_masked_whole() -> None:
    data = gzip.compress(SECRET)
    masked, _ = Redactor().body(data[:-8] + b"\1\1\1\1" + data[-4:], "application/json", "gzip", "b")
    assert is_marker(masked.decode())


@pytest.mark.parametrize("content_type", ["application/gzip", "application/json", ""])
def test_r46_what_is_compressed_without_a_header_that_says_so_is_masked(content_type: str) -> None:
    masked, paths = Redactor(b"key").body(gzip.compress(SECRET), content_type, "", "b")
    assert json.loads(gzip.decompress(masked))["user"]["Token"] == Redactor(b"key").marker("token", "C4nary")
    assert paths == ("b.$..Token",)
    for plain in (gzip.compress(b"nothing here"), gzip.compress(SECRET)[:-9] + b"damaged", b"\x1f\x8b"):
        assert Redactor().body(plain, content_type, "", "b") == (plain, ())
