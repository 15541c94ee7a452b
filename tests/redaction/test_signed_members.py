"""R46: signatures of addresses that were taken apart. By their names alone, nothing is masked."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import quote

import pytest

from timetracer_otel.redaction import Redactor

DIGEST = hashlib.sha256(b"key").digest()
HASHES = (
    base64.b64encode(DIGEST).decode(),
    quote(base64.b64encode(DIGEST).decode(), safe=""),
    base64.urlsafe_b64encode(DIGEST).decode().rstrip("="),
    DIGEST.hex(),
    DIGEST.hex().upper(),
)
LONG = base64.b64encode(b"\x01" * 64).decode().translate(str.maketrans("+=/", "-_~"))
DOCUMENTS: list[dict[str, Any]] = [
    *({"sv": "2024-11-04", "sig": each} for each in HASHES),
    {"url": {"query": {"sig": HASHES[0], "n": 1}}},
    {"query.sig": HASHES[0]},
    {"Key-Pair-Id": "K2JCJMDEHXQW5F", "Signature": LONG, "Policy": LONG},
    {"signature": LONG, "policy": LONG, "AWSAccessKeyId": "x", "key": "uploads/1"},
    {"GoogleAccessId": "x@y.example", "Expires": "1", "Signature": LONG},
    {"CloudFront-Policy": LONG, "CloudFront-Signature": LONG, "CloudFront-Key-Pair-Id": "K2JCJMDEHXQW5F"},
    {"x-amz-credential": "x/20260101/eu-west-1/s3/aws4_request", "policy": LONG, "x-amz-signature": DIGEST.hex()},
    {"Policy": LONG, "X-Goog-Credential": "x@y.example/20260101/auto/storage", "X-Goog-Signature": DIGEST.hex()},
]
HARMLESS: list[dict[str, Any]] = [
    {"sig": "def f(x: int) -> str"},
    {"sig": "1", "n": 2},
    {"sig": None, "m": {"sig": 12}},
    {"sig": hashlib.sha1(b"key").hexdigest()},
    {"sig": hashlib.sha256(b"key").hexdigest() + "0"},
    {"sig": [HASHES[0][:30]], "design": HASHES[0]},
    {"Signature": LONG, "Policy": "retain", "SignatureVersion": "1"},
    {"Key-Pair-Id": "K2JCJMDEHXQW5F", "m": {"Policy": "retain", "signature": "short"}},
]


def is_open(masked: object) -> bool:
    text = masked.decode() if isinstance(masked, bytes) else json.dumps(masked)
    return any(secret in text for secret in (*HASHES, LONG))


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_r46_a_signature_in_parts_is_masked_in_json_and_in_data(document: dict[str, Any]) -> None:
    redactor = Redactor(b"key")
    for text in (json.dumps(document), json.dumps({"inner": json.dumps(document)}), json.dumps([document])[:-2]):
        masked, paths = redactor.body(text.encode(), "application/json", "", "body")
        assert not is_open(masked)
        assert paths
    value, paths = redactor.value({"deep": [document]}, "value")
    assert not is_open(value)
    assert paths
    assert Redactor(b"other").value(value, "value") == (value, ())


@pytest.mark.parametrize("document", DOCUMENTS[:1] + DOCUMENTS[4:5] + DOCUMENTS[7:10] + DOCUMENTS[11:], ids=range(7))
def test_r46_a_signature_in_parts_is_masked_in_running_text(document: dict[str, Any]) -> None:
    redactor = Redactor(b"key")
    for text in (f"KeyError in {document}", f"got {json.dumps(document)}", f"body: {json.dumps(json.dumps(document))}"):
        assert not is_open(redactor.text(text).encode())


@pytest.mark.parametrize("document", HARMLESS, ids=range(len(HARMLESS)))
def test_r47_what_only_has_such_a_name_stays(document: dict[str, Any]) -> None:
    """A `sig` is a signature of a function, of a mail, a signal: nothing that replay could do without."""
    redactor, data = Redactor(), json.dumps(document).encode()
    assert redactor.body(data, "application/json", "", "body") == (data, ())
    assert redactor.value(document, "value") == (document, ())


def test_r46_a_form_that_posts_to_s3_is_masked_as_a_query_and_in_parts() -> None:
    redactor, head = Redactor(b"key"), '--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    for fields in (DOCUMENTS[0], DOCUMENTS[3], *DOCUMENTS[7:9], *DOCUMENTS[11:]):
        body = "".join(head % pair for pair in fields.items()) + "--b--\r\n"
        masked, _ = redactor.body(body.encode(), "multipart/form-data; boundary=b", "", "body")
        assert not is_open(masked)
        assert b'name="sv"\r\n\r\n2024-11-04' in masked or "sv" not in fields
    plain = "".join(head % pair for pair in (("sig", "-- \r\nAnn"), ("signature", "Ann"), ("n", "1"))) + "--b--\r\n"
    assert redactor.body(plain.encode(), "multipart/form-data; boundary=b", "", "b") == (plain.encode(), ())


@pytest.mark.parametrize(
    ("name", "plain", "spelled"),
    [("sig", HASHES[0], HASHES[1]), ("sig", HASHES[3], HASHES[3]), ("Signature", LONG, LONG)],
    ids=["sig", "hexadecimal", "Signature"],
)
def test_r46_a_signature_in_the_query_that_a_server_receives_is_masked(name: str, plain: str, spelled: str) -> None:
    redactor = Redactor(b"key")
    masked, paths = redactor.query(f"se=2031&{name}={spelled}&n=1".encode(), "request.query_string")
    marker = quote(redactor.marker("signature", plain), safe="")
    assert masked == f"se=2031&{name}={marker}&n=1".encode()
    assert paths == (f"request.query_string.{name}",)
    assert redactor.query(b"sig=1&Signature=no&Policy=x", "q") == (b"sig=1&Signature=no&Policy=x", ())
