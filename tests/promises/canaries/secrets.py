"""Secrets that hold the mark of `test_canaries`, and documents, headers and bodies in which they stand."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urlencode

from opentelemetry import trace

MARK: Final = "kT4nary"
LONG: Final = "0Zx81Qw"
REFUSED: Final = "127.0.0.1:1"
"""Where nobody listens."""
_DSN: Final = "postgresql://app:{0}@db.example/shop"
HASH: Final = base64.b64encode(b"kT4nary of a shared access signa").decode()
"""As Azure signs: the base64 of 32 bytes. The mark stands in it as base64."""
TRACER: Final = trace.get_tracer("canaries")
_PEM: Final = "-----BEGIN PRIVATE KEY-----\n{0}\n-----END PRIVATE KEY-----"


def secret(channel: str) -> str:
    """One of its own for each channel, which says where it was put."""
    return f"{MARK}{channel}{LONG}"


@contextmanager
def told(span: str) -> Iterator[None]:
    """A trace of its own; whatever is raised is told by its span, printed, and goes no further."""
    try:
        with TRACER.start_as_current_span(span):
            yield
    except Exception as error:  # noqa: BLE001  what a driver makes of a wrong address is its own
        print(f"{span.partition(' ')[0]}: {type(error).__name__}", flush=True)


def document(channel: str) -> dict[str, Any]:
    """With secrets in each way that JSON holds them."""
    back = f"https://s3.example/k?X-Amz-Signature={secret('encoded')}&X-Amz-Date=1"
    return {
        "user": {"Password": secret(channel), "keys": {"api_key": [secret("list"), {"x": secret("deep")}]}},
        "environment": [{"name": "DB_PASSWORD", "value": secret("pair")}, {"name": "MODE", "value": "test"}],
        "inner": json.dumps({"token": secret("inner")}),
        "link": f"https://ann:{secret('url')}@shop.example/?access_token={secret('query')}",
        "signed": {"sig": HASH, "se": "2031-01-01"},
        "cookies": {"CloudFront-Policy": secret("policy"), "CloudFront-Signature": secret("cloud")},
        "parts": {"Key-Pair-Id": "K2JCJMDEHXQW5F", "Signature": secret("parts") * 2, "Policy": secret("ofparts") * 2},
        "back": quote(back, safe=""),
        "twice": quote(quote(_DSN.format(secret("twice")), safe=""), safe=""),
        "pem": _PEM.format(secret("pem")),
        "note": "plain",
    }


def text(channel: str) -> str:
    """Such a document, as JSON."""
    return json.dumps(document(channel))


QUERIES: Final = (
    f"sig={quote(HASH, safe='')}&se=2031",
    f"X-Amz-Credential=x&X-Amz-Signature={secret('amz')}&X-Amz-Security-Token={secret('amztoken')}",
    f"Expires=1&Signature={secret('cloudfront') * 2}&Key-Pair-Id=K2JCJMDEHXQW5F",
    f"GoogleAccessId=x&Expires=1&Signature={secret('google') * 2}",
    f"next={quote('https://x.example/?token=' + secret('next'), safe='')}",
    f"code={secret('code')}&state=1",
    f"page=1&api%5Fkey={secret('escaped')}",
)


def headers() -> dict[str, str]:
    return {
        "Authorization": f"Bearer {secret('authorization')}",
        "X-Api-Key": secret("header"),
        "Cookie": f"theme=dark; sid={secret('cookie')}",
        "X-Note": f"token={secret('note')}",
        "X-Callback": quote(f"https://x.example/?api_key={secret('callback')}", safe=""),
        "Referer": f"https://shop.example/?access_token={secret('referer')}",
    }


def bodies() -> Iterator[tuple[str, bytes]]:
    """Content types and contents."""
    fields = {"user": "ann", "password": secret("form"), "sig": HASH, "data": text("formjson")}
    yield "application/json", text("json").encode()
    yield "application/x-www-form-urlencoded", urlencode(fields).encode()
    yield "multipart/form-data; boundary=b0", _multipart({**fields, "Key-Pair-Id": "K1", "Signature": secret("part")})
    yield "application/x-www-form-urlencoded", f"private%5Fkey={secret('escapedform')}".encode()
    yield "text/plain", f"go to {quote('https://x.example/?token=' + secret('percent'), safe='')}".encode()
    yield "text/plain", f"go to {quote('https://x.example/?sig=' + quote(HASH, safe=''), safe='')}".encode()
    yield "application/xml", f"<user><password>{secret('xml')}</password></user>".encode()
    yield "application/octet-stream", b"\0\1\xff" * 50 + f"token={secret('binary')}".encode() + b"\0" * 9


def _multipart(fields: dict[str, str]) -> bytes:
    head = "--b0\r\nContent-Disposition: form-data; name="
    return "".join(f'{head}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()).encode() + b"--b0--\r\n"
