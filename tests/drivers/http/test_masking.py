"""Secrets go, everything around them stays; and what depends on them is mended."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

import pytest

from timetracer_otel.drivers.base import Encoded
from timetracer_otel.drivers.http.masking import mask
from timetracer_otel.drivers.http.requests import body_of, pairs
from timetracer_otel.redaction import Redactor

REDACTOR = Redactor(b"key")
REQUEST: dict[str, Any] = {"method": "GET", "scheme": "http", "host": "h", "port": 80, "path": b"/", "query": b""}
SECRET = b"kT4nary-secret"


def masked(result: dict[str, Any], **request: Any) -> Encoded:
    asked = {**REQUEST, "headers": [], "body": b"", **request}
    return mask(Encoded("http.client", "http", "GET", "h/", asked, result), REDACTOR)[0]


def answer(body: list[bytes], *headers: list[bytes], **more: Any) -> dict[str, Any]:
    return {"version": "HTTP/1.1", "status": 200, "reason": b"OK", "headers": [*headers], "body": body, **more}


def md5(data: bytes) -> bytes:
    return base64.b64encode(hashlib.md5(data).digest())


def test_r46_secrets_of_a_request_are_masked_wherever_they_stand() -> None:
    names = (b"authorization", b"COOKIE", b"X-Api-Key", b"Proxy-Authorization")
    for body, kind in (
        (b"password=" + SECRET, b"application/x-www-form-urlencoded"),
        (b'{"u":{"Token":"%b"}}' % SECRET, b"application/json"),
    ):
        headers = [[b"Content-Type", kind], *([name, b"s=" + SECRET] for name in names)]
        found = masked({}, headers=headers, body=body, query=b"a=1&api_key=" + SECRET)
        assert SECRET not in repr(found.request).encode()
        assert found.request["query"][:4] == b"a=1&"  # type: ignore[index]
        assert [name for name, _ in pairs(found.request["headers"])] == [name for name, _ in headers]


@pytest.mark.parametrize("is_zipped", [False, True])
def test_r47_length_digest_and_chunks_are_those_of_what_was_masked(is_zipped: bool) -> None:
    plain = b'{"id":1,"access_token":"%b","name":"ann"}' % SECRET
    body = gzip.compress(plain) if is_zipped else plain
    headers = [[b"Content-Type", b"application/json"], [b"Content-Length", str(len(body)).encode()]]
    headers += [[b"Content-MD5", md5(body)], [b"Stripe-Signature", b"t=1,v1=x"]]
    headers += [[b"Content-Encoding", b"gzip"]] if is_zipped else []
    found = masked(answer([body[:9], body[9:]], *headers, chunks=[9, len(body) - 9]))
    told, new = dict(pairs(found.result["headers"])), body_of(found.result["body"])
    assert (int(told[b"Content-Length"]), told[b"Content-MD5"]) == (len(new), md5(new))
    assert b"Stripe-Signature" not in told
    content: Any = json.loads(gzip.decompress(new) if is_zipped else new)
    assert (content["id"], content["name"]) == (1, "ann")
    assert sum(found.result["chunks"]) == len(new)  # type: ignore[arg-type]
    assert SECRET not in (gzip.decompress(new) if is_zipped else new)


def test_r47_what_holds_no_secret_is_the_same_object() -> None:
    for body in (b"", b"a=b\xff\x00=", b"{not json", bytes(range(256))):
        encoded = Encoded("http.client", "http", "GET", "h/", {**REQUEST, "headers": [], "body": body}, answer([body]))
        assert mask(encoded, REDACTOR) == (encoded, ())


def test_a_response_that_does_not_come_apart_is_masked_line_by_line() -> None:
    wire = b"HTTP/1.1 200 OK\r\nSet-Cookie:  s=%b\r\nX-Auth-Token : %b\r\nX-A: b\r\n\r\npassword=%b" % ((SECRET,) * 3)
    found = masked({"reads": [wire[:20], wire[20:]], "ended": "server"})
    read = body_of(found.result["reads"])
    assert SECRET not in read
    assert read.startswith(b"HTTP/1.1 200 OK\r\nSet-Cookie:  s=[redacted:")
    assert b"\r\nX-A: b\r\n\r\npassword=[redacted:" in read


def test_an_error_that_tells_a_secret_is_masked() -> None:
    error = [["builtins.OSError", ["cannot reach https://ann:kT4nary-secret@h/"]]]
    assert SECRET not in repr(masked({"error": error}).result).encode()
