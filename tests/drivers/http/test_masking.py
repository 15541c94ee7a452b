"""Secrets go, everything around them stays; and what depends on them is mended."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

import pytest

from timetracer_otel.drivers.encoded import Encoded
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


@pytest.mark.parametrize("tells", ["query", "body"])
def test_r46_what_the_request_gives_away_is_masked_in_heads_that_give_nothing_away(tells: str) -> None:
    asked = {**REQUEST, "headers": [[b"Content-Type", b"application/x-www-form-urlencoded"]], "body": b""}
    asked |= {tells: b"access_token=" + SECRET * 2}
    echoed = answer([b"fine"], [b"Location", b"/next/" + SECRET * 2]) | {"reason": b"for " + SECRET * 2}
    found, paths = mask(Encoded("http.client", "http", "GET", "h/", asked, echoed), REDACTOR.of_trace())
    assert SECRET not in repr(found).encode()
    assert paths == (f"request.{tells}.access_token", "result.headers.location", "result.reason")


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


def test_r46_a_path_goes_with_the_secret_that_the_body_gives_away() -> None:
    asked = {**REQUEST, "path": b"/of/" + SECRET * 2, "headers": [], "body": b'{"token":"%b"}' % (SECRET * 2)}
    found, _ = mask(Encoded("http.client", "http", "GET", "h/", asked, {}), REDACTOR.of_trace())
    assert SECRET not in repr(found).encode()


def test_an_error_that_tells_a_secret_is_masked() -> None:
    error = [["builtins.OSError", ["cannot reach https://ann:kT4nary-secret@h/"]]]
    assert SECRET not in repr(masked({"error": error}).result).encode()


TOKEN = b'{"id":1,"access_token":"%b"}' % SECRET
ZIPPED = gzip.compress(TOKEN)
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type:application/json\r\n"
CHUNKED = JSON_HEAD + b"Transfer-Encoding: chunked\r\n"


def test_r44_r46_a_body_that_does_not_come_apart_is_masked_by_what_its_head_says() -> None:
    length = b"Content-Length:%d\r\n\r\n" % len(ZIPPED)
    early = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    for wire in (
        JSON_HEAD + b"Content-Encoding:gzip\r\n" + length + ZIPPED,
        early + JSON_HEAD + b"Content-Encoding: gzip\r\nX-Api-Key: %b\r\n" % SECRET + length + ZIPPED,
    ):
        head, _, body = body_of(masked({"reads": [wire], "ended": "complete"}).result["reads"]).rpartition(b"\r\n\r\n")
        assert SECRET not in head + gzip.decompress(body)
        assert b"Content-Length:%d" % len(body) in head
        assert head.startswith(wire.partition(b"\r\n\r\n")[0][:40])


def test_r46_a_secret_cut_by_chunks_with_extensions_is_masked() -> None:
    chunks = b"%x;a=b\r\n%b\r\n%x;c\r\n%b\r\n" % (30, TOKEN[:30], len(TOKEN[30:]), TOKEN[30:])
    for end in (b"", b"0\r\n\r\n"):
        read = body_of(masked({"reads": [CHUNKED + b"\r\n" + chunks + end], "ended": "client"}).result["reads"])
        size, _, content = read.partition(b"\r\n\r\n")[2].partition(b"\r\n")
        assert json.loads(content[: int(size, 16)])["access_token"].startswith("[redacted:")
        assert content[int(size, 16) :] == b"\r\n" + end


def test_r46_the_folded_part_of_a_secret_header_goes_with_it() -> None:
    wire = b"HTTP/1.1 200 OK\r\nX-Api-Key: a\r\n  %b\r\nX-A: b\r\n\r\n" % SECRET
    read = body_of(masked({"reads": [wire], "ended": "server"}).result["reads"])
    assert SECRET not in read
    assert read.endswith(b"\r\nX-A: b\r\n\r\n")


def test_r46_a_reason_phrase_and_keys_of_well_known_services_are_masked() -> None:
    assert SECRET not in repr(masked({**answer([b""]), "reason": b"bad token=%b" % SECRET})).encode()
    names = (
        b"PRIVATE-TOKEN",
        b"DD-API-KEY",
        b"X-Goog-Api-Key",
        b"Ocp-Apim-Subscription-Key",
        b"X-Shopify-Access-Token",
    )
    found = masked({}, headers=[[name, SECRET] for name in names])
    assert SECRET not in repr(found).encode()


def test_r46_the_signature_of_a_signed_address_is_masked_and_nothing_else_of_its_query() -> None:
    for query, name in ((b"sv=1&se=2&sig=%b&sp=r", b"sig"), (b"Expires=1&Signature=%b&Key-Pair-Id=K", b"Signature")):
        found = body_of(masked({}, query=query % b"kT4nary%2Fsecret%3D").request["query"])
        assert b"kT4nary" not in found
        assert [each for each in found.split(b"&") if not each.startswith(name + b"=")] == [
            each for each in query.split(b"&") if not each.startswith(name + b"=")
        ]
    assert masked({}, query=b"sig=a&x=1").request["query"] == b"sig=a&x=1"


def test_r46_a_body_that_broke_off_with_a_secret_in_it_leaves_no_digest_to_try_it_out() -> None:
    unsent = {"size": 20, "sha256": "0" * 64}
    for body, digest in ((b"password=" + SECRET, None), (b"plain", "0" * 64)):
        headers = [[b"Content-Type", b"application/x-www-form-urlencoded"]]
        asked = {**REQUEST, "headers": headers, "unsent": unsent, "sent": body}
        found = mask(Encoded("http.client", "http", "PUT", "h/", asked, {}), REDACTOR)[0].request
        assert found["unsent"]["sha256"] == digest  # type: ignore[index, call-overload]
        assert "sent" not in found
