from __future__ import annotations

import gzip
import zlib
from decimal import Decimal

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.drivers.asgi.body import begins_as_json
from timetracer_otel.drivers.asgi.content import content_of, header


def typed(kind: bytes, encoding: bytes = b"") -> list[list[bytes]]:
    return [[b"Content-Type", kind]] + ([[b"content-encoding", encoding]] if encoding else [])


def test_json_is_parsed_with_its_numbers_exact() -> None:
    content = content_of(typed(b"application/problem+json; charset=utf-8"), b'{"total": 1.10, "n": 1}')
    assert (content.kind, content.value) == ("json", {"total": Decimal("1.10"), "n": 1})


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (b"application/json", b"{broken", "text"),
        (b"application/json", b'{"a": 1, "a": 2}', "text"),
        (b"application/json", b"NaN", "text"),
        (b"application/json", b"[" * 100_000, "text"),
        (b"application/json", b"\xff", "binary"),
        (b"text/html", b"<p>", "text"),
        (b"text/plain; charset=latin-1", b"\xe9", "text"),
        (b"text/plain; charset=no-such", b"a", "binary"),
        (b"text/plain; charset=hex", b"61", "binary"),
        (b"text/plain", b"\xe9", "binary"),
        (b"image/svg+xml", b"<svg/>", "text"),
        (b"image/png", b"\x89PNG", "binary"),
        (b"application/octet-stream", b"text", "binary"),
        (b"", b"text", "text"),
        (b"", b"\xff", "binary"),
    ],
)
def test_a_body_is_what_its_type_says_and_its_bytes_keep(kind: bytes, body: bytes, expected: str) -> None:
    assert content_of(typed(kind) if kind else [], body).kind == expected


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        (b"gzip", gzip.compress(b"hello", mtime=0)),
        (b"X-GZIP", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
        (b"deflate", zlib.compress(b"hello")),
        (b"zstd", zstandard.compress(b"hello")),
        (b"deflate, gzip", gzip.compress(zlib.compress(b"hello"), mtime=0)),
        (b"identity", b"hello"),
    ],
)
def test_content_codings_are_undone(encoding: bytes, encoded: bytes) -> None:
    content = content_of(typed(b"text/plain", encoding), encoded)
    assert (content.kind, content.text) == ("text", "hello")


@pytest.mark.parametrize(("encoding", "body"), [(b"br", b"x"), (b"gzip", b"no gzip"), (b"gzip, br", b"")])
def test_what_cannot_be_undone_stays_as_it_is(encoding: bytes, body: bytes) -> None:
    assert content_of(typed(b"text/plain", encoding), body).data == body


def test_a_cut_gzip_stream_is_read_as_far_as_it_goes() -> None:
    whole = gzip.compress(b"line\n" * 1000)
    content = content_of(typed(b"text/plain", b"gzip"), whole[:-10])
    assert content.text.startswith("line\n")


def test_a_header_is_found_in_any_case() -> None:
    assert header([[b"CONTENT-type", b"\xe9"]], "content-type") == "\xe9"
    assert header([], "content-type") == ""


@given(st.binary(), st.sampled_from([b"application/json", b"text/plain; charset=utf-16", b"", b"\xff"]))
def test_any_body_has_a_kind(body: bytes, kind: bytes) -> None:
    assert content_of(typed(kind, b"gzip"), body).kind in ("json", "text", "binary")


def test_content_codings_may_stand_in_several_header_lines() -> None:
    headers = [*typed(b"text/plain", b"identity"), [b"Content-Encoding", b"deflate"], [b"content-encoding", b"gzip"]]
    assert content_of(headers, gzip.compress(zlib.compress(b"hello"), mtime=0)).text == "hello"


@pytest.mark.parametrize("start", [b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\xef\xbb\xbf {", b"["])
def test_what_is_redacted_as_a_whole_is_told_by_its_beginning(start: bytes) -> None:
    assert begins_as_json(start)
    assert not begins_as_json(b"x" + start)
