"""Query strings and form bodies: only the values that are hit change, every other byte stays."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote_to_bytes

from timetracer_otel.redaction.json_text import scrub_plain
from timetracer_otel.redaction.markers import percent_encoded
from timetracer_otel.redaction.masker import Masker

_UNQUOTED: Final = "-._~*"


def redact_form(data: bytes, path: str, masker: Masker) -> tuple[bytes, tuple[str, ...]]:
    """`name=value&...`, values of secret names masked whole, others by pattern; the same object when nothing hits."""
    pairs = data.split(b"&")
    masked = [_pair(pair, path, masker) for pair in pairs]
    hit = [_name(old) for old, new in zip(pairs, masked, strict=True) if old != new]
    return (b"&".join(masked) if hit else data), tuple(
        dict.fromkeys(f"{path}.{name}" if name else path for name in hit)
    )


def redact_query(data: bytes, path: str, masker: Masker) -> tuple[bytes, tuple[str, ...]]:
    """`redact_form` of a query string, as a whole where a place says so."""
    rule = masker.rule_at(path) if data else None
    if rule is None:
        return redact_form(data, path, masker)
    masked = percent_encoded(masker.mark(rule, data))
    return (masked, (path,)) if masked != data else (data, ())


def _pair(pair: bytes, path: str, masker: Masker) -> bytes:
    name, equals, value = pair.partition(b"=")
    plain = _decoded(value if equals else pair)
    rule = masker.rule_of(_name(pair)) or (masker.rule_at(f"{path}.{_name(pair)}") if equals else None)
    masked = scrub_plain(plain, masker) if rule is None or not plain else masker.mark(rule, plain)
    return pair if masked == plain else (name + equals if equals else b"") + quote(masked, safe=_UNQUOTED).encode()


def _name(pair: bytes) -> str:
    name, equals, _ = pair.partition(b"=")
    return _decoded(name).decode("utf-8", "replace") if equals else ""


def _decoded(value: bytes) -> bytes:
    return unquote_to_bytes(value.replace(b"+", b" "))
