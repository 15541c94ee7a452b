"""Header pairs: order, case and duplicates stay; of a secret header what is no secret stays readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from timetracer_otel.redaction import credentials
from timetracer_otel.redaction.masker import Masker

_SCHEMES: Final = frozenset(
    [*b"basic bearer negotiate ntlm token apikey dpop hoba jwt scram-sha-256 vapid".split(), *credentials.SIGNING]
)
_ATTRIBUTES: Final = frozenset(b"expires max-age domain path secure httponly samesite priority partitioned".split())


def redact_headers(
    pairs: Sequence[Sequence[bytes]], path: str, masker: Masker
) -> tuple[list[list[bytes]], tuple[str, ...]]:
    """The pairs with secrets masked, and the paths that hold a marker: `headers.cookie`, `headers.set-cookie[1]`."""
    if are_clean(pairs, (), masker):
        return [[name, value] for name, value in pairs], ()
    names = [name.decode("latin-1").lower() for name, _ in pairs]
    masked = [
        [pair[0], _value(name, pair[1], masker, masker.rule_at(f"{path}.{name}") if masker.has_places else None)]
        for name, pair in zip(names, pairs, strict=True)
    ]
    total, seen, paths = Counter(names), Counter[str](), []
    for name, (_, old), (_, new) in zip(names, pairs, masked, strict=True):
        if old != new:
            paths.append(f"{path}.{name}[{seen[name]}]" if total[name] > 1 else f"{path}.{name}")
        seen[name] += 1
    return masked, tuple(paths)


def are_clean(pairs: Sequence[Sequence[bytes]], others: Sequence[bytes], masker: Masker) -> bool:
    """True if nothing is to be masked, in `others` by pattern, which is never wrong: one look at all together."""
    if masker.has_places or _is_any_secret(masker.rule_of, tuple([name for name, _ in pairs])):
        return False
    return not masker.suspicious(b"\0".join([*[value for _, value in pairs], *others]))


@lru_cache(maxsize=256)
def _is_any_secret(rule_of: Callable[[str], str | None], names: tuple[bytes, ...]) -> bool:
    """A client sends the same headers again and again."""
    return any(rule_of(name.decode("latin-1").lower()) for name in names)


def _value(name: str, value: bytes, masker: Masker, rule_here: str | None) -> bytes:
    rule = masker.rule_of(name) or rule_here
    if rule is None:
        return masker.scrub(value)
    if rule == "cookie":
        return b";".join(_cookie(part, masker) for part in value.split(b";"))
    if rule == "set_cookie":
        cookie, *attributes = value.split(b";")
        return b";".join([_cookie(cookie, masker), *(_attribute(part, masker) for part in attributes)])
    if rule in ("authorization", "proxy_authorization"):
        return _credentials(rule, value, masker)
    return masker.mark(rule, value) if value else value


def _credentials(rule: str, value: bytes, masker: Masker) -> bytes:
    """The scheme stays, so that an application under replay takes the same branch; all after it goes, of a signed one
    field by field, so that two users stay two."""
    scheme, space, secret = value.partition(b" ")
    if scheme.lower() in credentials.SIGNING:
        named = credentials.masked(secret, lambda each: masker.mark(rule, each))
        if named is not None:
            return scheme + space + named
    if space and secret.strip() and scheme.lower() in _SCHEMES:
        return scheme + space + masker.mark(rule, secret)
    return masker.mark(rule, value) if value else value


def _cookie(part: bytes, masker: Masker) -> bytes:
    """Cookie and Set-Cookie mask by the same rule: what a server sets and what comes back carry the same marker."""
    name, equals, value = part.partition(b"=")
    secret = (value if equals else part).strip()
    if not secret:
        return part
    return (name + equals if equals else part[: len(part) - len(part.lstrip())]) + masker.mark("cookie", secret)


def _attribute(part: bytes, masker: Masker) -> bytes:
    """One with a quote may be the rest of a value that holds a semicolon."""
    is_known = part.partition(b"=")[0].strip().lower() in _ATTRIBUTES
    return part if is_known and b'"' not in part else _cookie(part, masker)
