"""Header pairs: order, case and duplicates stay; of a secret header what is no secret stays readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from timetracer_otel.redaction.markers import Mark
from timetracer_otel.redaction.names import rule_of
from timetracer_otel.redaction.patterns import scrub

_SCHEMES: Final = frozenset(
    b"basic bearer digest negotiate ntlm token apikey oauth dpop hoba jwt aws4-hmac-sha256 scram-sha-256 vapid".split()
)
_ATTRIBUTES: Final = frozenset(b"expires max-age domain path secure httponly samesite priority partitioned".split())


def redact_headers(
    pairs: Sequence[Sequence[bytes]], path: str, mark: Mark
) -> tuple[list[list[bytes]], tuple[str, ...]]:
    """The pairs with secrets masked, and the paths that hold a marker: `headers.cookie`, `headers.set-cookie[1]`."""
    masked = [[name, _value(name, value, mark)] for name, value in pairs]
    names = [name.decode("latin-1").lower() for name, _ in pairs]
    total, seen, paths = Counter(names), Counter[str](), []
    for name, (_, old), (_, new) in zip(names, pairs, masked, strict=True):
        if old != new:
            paths.append(f"{path}.{name}[{seen[name]}]" if total[name] > 1 else f"{path}.{name}")
        seen[name] += 1
    return masked, tuple(paths)


def _value(name: bytes, value: bytes, mark: Mark) -> bytes:
    rule = rule_of(name.decode("latin-1"))
    if rule is None:
        return scrub(value, mark)
    if rule == "cookie":
        return b";".join(_cookie(part, mark) for part in value.split(b";"))
    if rule == "set_cookie":
        cookie, *attributes = value.split(b";")
        return b";".join([_cookie(cookie, mark), *(_attribute(part, mark) for part in attributes)])
    if rule in ("authorization", "proxy_authorization"):
        return _credentials(rule, value, mark)
    return mark(rule, value) if value else value


def _credentials(rule: str, value: bytes, mark: Mark) -> bytes:
    """The scheme stays, so that an application under replay takes the same branch; all after it goes."""
    scheme, space, secret = value.partition(b" ")
    if space and secret.strip() and scheme.lower() in _SCHEMES:
        return scheme + space + mark(rule, secret)
    return mark(rule, value) if value else value


def _cookie(part: bytes, mark: Mark) -> bytes:
    """Cookie and Set-Cookie mask by the same rule: what a server sets and what comes back carry the same marker."""
    name, equals, value = part.partition(b"=")
    secret = (value if equals else part).strip()
    if not secret:
        return part
    return (name + equals if equals else part[: len(part) - len(part.lstrip())]) + mark("cookie", secret)


def _attribute(part: bytes, mark: Mark) -> bytes:
    return part if part.partition(b"=")[0].strip().lower() in _ATTRIBUTES else _cookie(part, mark)
