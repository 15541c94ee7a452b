"""R46: signatures of addresses that are credentials by themselves, inside of bodies and texts."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

import pytest

from timetracer_otel.redaction import Redactor

HASH = base64.b64encode(hashlib.sha256(b"key").digest()).decode()
SHARED = f"https://a.blob.core.windows.net/c/b?sv=2024-11-04&se=2026-01-01&sig={quote(HASH, safe='')}"
LONG = base64.b64encode(b"\x01" * 256).decode().translate(str.maketrans("+=/", "-_~"))
CLOUDFRONT = f"https://d1.cloudfront.net/a.jpg?Policy={LONG}&Signature={LONG}&Key-Pair-Id=K2JCJMDEHXQW5F"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
BODIES = [
    (f"see {SHARED} now", "text/plain"),
    (f'{{"url": "{SHARED}", "n": 1}}', JSON),
    (SHARED.join(('{"url": "', '"}')).replace("&", "\\u0026"), JSON),
    (f"<Url>{SHARED.replace('&', '&amp;')}</Url>", "application/xml"),
    (f"BlobEndpoint=https://a/;SharedAccessSignature={SHARED.partition('?')[2]}", "text/plain"),
    (SHARED.partition("?")[2], FORM),
    (f"n=1&url={quote(SHARED, safe='')}", FORM),
    (f"see {CLOUDFRONT} now", "text/plain"),
    (f'{{"url": "{CLOUDFRONT}"}}', JSON),
    (CLOUDFRONT.partition("?")[2], FORM),
    (f'{{"CloudFront-Signature": "{LONG}"}}', JSON),
    (f"Set cookie CloudFront-Signature={LONG}; Path=/", "text/plain"),
    (f"CREATE SECRET (sig='{HASH}')", "text/plain"),
    (f'{{"SIG": "{HASH}"}}', JSON),
]


@pytest.mark.parametrize(("body", "kind"), BODIES, ids=range(len(BODIES)))
def test_r46_a_signature_inside_of_a_body_is_masked(body: str, kind: str) -> None:
    masked, paths = Redactor(b"key").body(body.encode(), kind, "", "result.body")
    for spelled in (HASH, quote(HASH, safe=""), quote(quote(HASH, safe=""), safe=""), LONG):
        assert spelled.encode() not in masked
    assert b"redacted" in masked
    assert paths
    assert Redactor(b"other").body(masked, kind, "", "result.body") == (masked, ())


def test_equal_signatures_have_equal_markers_however_they_are_spelled() -> None:
    redactor = Redactor(b"key")
    marker = quote(redactor.marker("signature", HASH), safe="").encode()
    for spelled in (HASH, quote(HASH, safe="")):
        assert redactor.data(f"GET /b?sv=1&sig={spelled}".encode()) == b"GET /b?sv=1&sig=" + marker


@pytest.mark.parametrize(
    "body",
    [
        "sig=1&design=abc",
        f"design={HASH}",
        f"?sig={HASH[:30]}",
        f"?sig={HASH}{HASH}",
        "Signature=unknown",
        "a Policy=x",
    ],
)
def test_what_only_sounds_like_a_signature_stays(body: str) -> None:
    assert Redactor().body(body.encode(), "text/plain", "", "b") == (body.encode(), ())
