"""Query strings and form bodies: only the values that are hit change, every other byte stays."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote_to_bytes

from timetracer_otel.redaction.markers import Mark
from timetracer_otel.redaction.names import rule_of
from timetracer_otel.redaction.patterns import scrub

_UNQUOTED: Final = "-._~*"


def redact_form(data: bytes, path: str, mark: Mark) -> tuple[bytes, tuple[str, ...]]:
    """`name=value&...`, values of secret names masked whole, others by pattern; the same object when nothing hits."""
    pairs = data.split(b"&")
    masked = [_pair(pair, mark) for pair in pairs]
    hit = [_name(old) for old, new in zip(pairs, masked, strict=True) if old != new]
    return (b"&".join(masked) if hit else data), tuple(
        dict.fromkeys(f"{path}.{name}" if name else path for name in hit)
    )


def _pair(pair: bytes, mark: Mark) -> bytes:
    name, equals, value = pair.partition(b"=")
    plain = _decoded(value if equals else pair)
    rule = rule_of(_name(pair))
    masked = scrub(plain, mark) if rule is None or not plain else mark(rule, plain)
    return pair if masked == plain else (name + equals if equals else b"") + quote(masked, safe=_UNQUOTED).encode()


def _name(pair: bytes) -> str:
    name, equals, _ = pair.partition(b"=")
    return _decoded(name).decode("utf-8", "replace") if equals else ""


def _decoded(value: bytes) -> bytes:
    return unquote_to_bytes(value.replace(b"+", b" "))
