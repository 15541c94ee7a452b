from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP

import pytest

from timetracer_otel.redaction import Redactor

KEY = b"key"


def part(disposition: str, body: bytes, content_type: str = "") -> bytes:
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"--b0\r\nContent-Disposition: form-data; {disposition}\r\n{kind}\r\n".encode() + body + b"\r\n"


def mask(data: bytes, content_type: str = 'multipart/form-data; boundary="b0"') -> tuple[bytes, tuple[str, ...]]:
    return Redactor(KEY).body(data, content_type, "", "body")


def mark(rule: str, secret: str) -> bytes:
    return Redactor(KEY).marker(rule, secret).encode()


def test_r47_fields_are_masked_by_name_and_all_else_stays_byte_for_byte() -> None:
    clean = (
        part('name="user"', b"bob\r\n\r\n")
        + part('name="next_token"', b"n")
        + part('name="f"; filename="t.bin"', b"\x00\r\n=\xff")
    )
    masked, paths = mask(clean + part('name="Password"', b"C4nary\r\nx") + b"--b0--\r\nepilogue")
    assert masked == clean + part('name="Password"', mark("password", "C4nary\r\nx")) + b"--b0--\r\nepilogue"
    assert paths == ("body.Password",)


def test_a_masked_form_still_parses() -> None:
    masked, _ = mask(part('name="token"', b"x") + part('name="a"', b"1") + b"--b0--\r\n")
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(
        b"Content-Type: multipart/form-data; boundary=b0\r\n\r\n" + masked
    )
    assert [bytes(field.get_payload(decode=True)) for field in message.iter_parts()] == [mark("token", "x"), b"1"]


def test_a_part_is_masked_by_its_own_type() -> None:
    masked, paths = mask(part('name="meta"', b'{"token":"x"}', "application/json") + b"--b0--")
    assert mark("token", "x") in masked
    assert paths == ("body.meta.$..token",)


def test_a_file_is_masked_by_pattern_only() -> None:
    name = 'name="token"; filename="a.txt"'
    masked, paths = mask(part(name, b"x AKIAIOSFODNN7EXAMPLE") + b"--b0--")
    assert masked == part(name, b"x " + mark("aws_access_key_id", "AKIAIOSFODNN7EXAMPLE")) + b"--b0--"
    assert paths == ("body.token",)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_a_body_that_is_cut_off_is_masked(line_end: bytes) -> None:
    data = part('name="password"', b"C4nary").replace(b"\r\n", line_end)
    assert b"C4nary" not in mask(data)[0]
    assert b"C4nary" not in mask(data.rstrip(b"\r\n"))[0]


@pytest.mark.parametrize(
    "disposition", ["name=password", 'filename*=x; name="a"', 'name="token', "", 'name="\\"token"']
)
def test_odd_part_headers_do_no_harm(disposition: str) -> None:
    masked, paths = mask(part(disposition, b"x") + b"--b0--")
    assert (masked != part(disposition, b"x") + b"--b0--") == bool(paths)
    assert bool(paths) == (disposition == "name=password")


def test_a_body_without_its_boundary_is_masked_by_pattern() -> None:
    assert b"C4nary" not in mask(b"password='C4nary'")[0]


@pytest.mark.parametrize(
    "disposition",
    ['name="a"; name="password"', "name*=UTF-8''pass%77ord", 'filename2=x;\r\n name="password"', "name=password"],
)
def test_a_name_is_found_however_it_is_written(disposition: str) -> None:
    assert b"C4nary" not in mask(part(disposition, b"C4nary") + b"--b0--")[0]


def test_a_boundary_counts_at_the_beginning_of_a_line_only() -> None:
    data = part('name="password"', b"hun--b0C4nary\r\n--b0C4nary") + b"--b0--\r\n"
    marker = mark("password", "hun--b0C4nary\r\n--b0C4nary")
    assert mask(data)[0] == part('name="password"', marker) + b"--b0--\r\n"


def test_a_boundary_may_be_long_and_hold_quoted_letters() -> None:
    data = (part('name="password"', b"C4nary") + b"--b0--").replace(b"b0", b"b" * 201 + b'"')
    assert b"C4nary" not in mask(data, 'multipart/form-data; x="boundary=b1"; boundary="%s\\""' % ("b" * 201))[0]


def nested(depth: int) -> bytes:
    body = part('name="password"', b"C4nary").replace(b"b0", b"b%d" % depth) + b"--b%d--" % depth
    for level in reversed(range(depth)):
        inner = part('name="a"', body, f"multipart/mixed; boundary=b{level + 1}")
        body = inner.replace(b"--b0\r\n", b"--b%d\r\n" % level, 1) + b"--b%d--" % level
    return body


def test_multipart_inside_of_multipart_is_masked_to_a_bounded_depth() -> None:
    assert mark("password", "C4nary") in mask(nested(2))[0]
    masked = mask(nested(8))[0]
    assert b"C4nary" not in masked
    assert b"[redacted:unredactable#" in masked


def test_a_part_in_utf_16_is_masked() -> None:
    data = part('name="a"', "password='C4nary'".encode("utf-16"), "text/plain; charset=utf-16") + b"--b0--"
    assert "C4nary".encode("utf-16-le") not in mask(data)[0]
