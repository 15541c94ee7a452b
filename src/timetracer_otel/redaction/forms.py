"""Query strings and form bodies: only the values that are hit change, every other byte stays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from timetracer_otel.redaction.json_text import scrub_plain
from timetracer_otel.redaction.markers import percent_encoded
from timetracer_otel.redaction.masker import Masker
from timetracer_otel.redaction.signed_urls import signatures_in

_UNQUOTED: Final = "-._~*"
_GRANTS: Final = {
    name.encode(): name for name in ("code", "code_verifier", "device_code", "assertion", "client_assertion", "ticket")
}
"""Where a form asks for a token, fields that are worth one. Source: RFC 6749, 7521, 7636, 8628."""
_HEX: Final = re.compile(rb"[0-9a-f]{32,128}|[0-9A-F]{32,128}")
_KEY: Final = re.compile(rb"[A-Za-z0-9_-]{20,256}")
_KINDS: Final = tuple(map(re.compile, (rb"[a-z]", rb"[A-Z]", rb"[0-9]")))


def redact_form(data: bytes, path: str, masker: Masker) -> tuple[bytes, tuple[str, ...]]:
    """`name=value&...`, values of secret names masked whole, others by pattern; the same object when nothing hits."""
    return _redacted(data, path, masker, {**_grants(data), **signatures_in(data)})


def _fields(data: bytes) -> dict[bytes, bytes]:
    """As they are spelled."""
    return dict(pair.partition(b"=")[::2] for pair in data.split(b"&"))


def _grants(data: bytes) -> Mapping[bytes, str]:
    return _GRANTS if b"grant_type=" in data or b"client_assertion=" in data else {}


def _redacted(data: bytes, path: str, masker: Masker, secret: Mapping[bytes, str]) -> tuple[bytes, tuple[str, ...]]:
    """`secret`: further names, with their rules."""
    pairs = data.split(b"&")
    masked = [_pair(pair, path, masker, secret) for pair in pairs]
    hit = [_name(old) for old, new in zip(pairs, masked, strict=True) if old != new]
    return (b"&".join(masked) if hit else data), tuple(
        dict.fromkeys(f"{path}.{name}" if name else path for name in hit)
    )


def redact_query(data: bytes, path: str, masker: Masker) -> tuple[bytes, tuple[str, ...]]:
    """`redact_form` of a query string, as a whole where a place says so."""
    if not data:
        return data, ()
    rule = masker.rule_at(path)
    if rule is None:
        return _redact_query(data, path, masker)
    masked = percent_encoded(masker.mark(rule, data))
    return (masked, (path,)) if masked != data else (data, ())


def _redact_query(data: bytes, path: str, masker: Masker) -> tuple[bytes, tuple[str, ...]]:
    """A form, in which `code` beside `state` is a grant of OAuth, and `key` may be one of an API."""
    fields = _fields(data)
    granted = {b"code": "code"} if b"state" in fields else {}
    keyed = {b"key": "api_key"} if _is_api_key(fields.get(b"key", b"")) else {}
    return _redacted(data, path, masker, {**_grants(data), **signatures_in(data), **granted, **keyed})


def _is_api_key(value: bytes) -> bool:
    """Of random letters and digits, as no word, path or uuid is."""
    if _HEX.fullmatch(value):
        return True
    return _KEY.fullmatch(value) is not None and all(kind.search(value) for kind in _KINDS)


def _pair(pair: bytes, path: str, masker: Masker, secret: Mapping[bytes, str]) -> bytes:
    name, equals, value = pair.partition(b"=")
    plain = _decoded(value if equals else pair)
    rule = masker.rule_of(_name(pair)) or (masker.rule_at(f"{path}.{_name(pair)}") if equals else None)
    rule = rule or (secret.get(name) if equals else None)
    masked = scrub_plain(plain, masker) if rule is None or not plain else masker.mark(rule, plain)
    return pair if masked == plain else (name + equals if equals else b"") + quote(masked, safe=_UNQUOTED).encode()


def _name(pair: bytes) -> str:
    name, equals, _ = pair.partition(b"=")
    return _decoded(name).decode("utf-8", "replace") if equals else ""


def _decoded(value: bytes) -> bytes:
    return unquote_to_bytes(value.replace(b"+", b" "))
