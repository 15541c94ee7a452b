"""Secrets that are known by their shape, in bytes of any kind: a cheap prefilter, then one regular expression per rule.

Every expression is linear: it has a literal or a boundary to start at, and what it repeats cannot be cut in two ways.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from timetracer_otel.redaction.markers import MARKER_BYTES, Mark, percent_encoded
from timetracer_otel.redaction.names import ALTERNATION, holds_name, rule_of

Match: TypeAlias = "re.Match[bytes]"

_SHORTEST_HIT: Final = len(b"pwd=x")


def suspicious(data: bytes) -> bool:
    """False if no pattern can hit `data`: literal searches only, those for names only where an assignment can be."""
    return len(data) >= _SHORTEST_HIT and _is_suspicious(data.decode("latin-1"), data)


def suspicious_text(text: str) -> bool:
    """`suspicious` of text, without a copy of it as bytes in the usual case."""
    if len(text) < _SHORTEST_HIT:
        return False
    return holds_shape(text) or (_can_assign(text) and holds_name(text.encode("utf-8", "surrogatepass")))


def holds_shape(view: str) -> bool:
    """False if `view`, text or bytes as latin-1, holds nothing that is known without a name beside it.

    Written out, each search behind one for a rare letter, and on text, where `in` costs a tenth of what it costs on
    bytes: this runs over all that is recorded.
    """
    return (
        ("I" in view and ("AKIA" in view or "ASIA" in view))
        or ("J" in view and "eyJ" in view)
        or ("@" in view and "://" in view)
        or ("E" in view and ("-----BEGIN " in view or "EARER " in view))
        or (" " in view and ("earer " in view or "asic " in view or "ASIC " in view))
    )


def scrub(data: bytes, mark: Mark) -> bytes:
    """`data` with every hit masked; the same object when nothing hits. Markers that it has already are left alone."""
    return _scrubbed(data, mark) if suspicious(data) else data


def scrub_text(text: str, mark: Mark) -> str:
    """`text` with every hit masked; the same object when nothing hits."""
    if not suspicious_text(text):
        return text
    data = text.encode("utf-8", "surrogatepass")
    masked = _scrubbed(data, mark)
    return text if masked is data else masked.decode("utf-8", "surrogatepass")


def _is_suspicious(view: str, data: bytes) -> bool:
    return holds_shape(view) or (_can_assign(view) and holds_name(data))


def _can_assign(view: str) -> bool:
    return "=" in view or "'" in view or '"' in view or "<" in view or "$" in view


def _scrubbed(data: bytes, mark: Mark) -> bytes:
    is_named, masked = holds_name(data), data
    while (more := _scrubbed_once(masked, is_named, mark)) != masked:
        masked = more  # a secret that touched another one is seen only once that is a marker
    return data if masked == data else masked


def _scrubbed_once(data: bytes, is_named: bool, mark: Mark) -> bytes:
    for rule in _RULES:
        if (is_named or not rule.by_name) and any(literal in data for literal in rule.needs):
            data = _between_markers(data, rule, mark)
    return data


@dataclass(frozen=True, slots=True)
class _Rule:
    needs: tuple[bytes, ...]
    """The expression cannot hit where none of these is."""
    pattern: re.Pattern[bytes]
    masked: Callable[[Match, Mark], bytes]
    by_name: bool = False
    """It hits only next to a secret name."""

    def apply(self, data: bytes, mark: Mark) -> bytes:
        return self.pattern.sub(lambda match: self.masked(match, mark), data)


def _between_markers(data: bytes, rule: _Rule, mark: Mark) -> bytes:
    if b"redacted" not in data:
        return rule.apply(data, mark)
    pieces, start = [], 0
    for found in MARKER_BYTES.finditer(data):
        pieces += [rule.apply(data[start : found.start()], mark), found[0]]
        start = found.end()
    return b"".join([*pieces, rule.apply(data[start:], mark)])


def _replaced(match: Match, group: str, new: bytes) -> bytes:
    start, end = (place - match.start() for place in match.span(group))
    return match[0][:start] + new + match[0][end:]


def _always(rule: str) -> Callable[[Match, Mark], bytes]:
    return lambda match, mark: _replaced(match, "value", mark(rule, match["value"]))


# ---- names and values ------------------------------------------------------------------------------------------------

_SINGLE_QUOTED: Final = rb"[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*"
_DOUBLE_QUOTED: Final = rb'[^"\\]*(?:\\[\s\S][^"\\]*)*'
_NAME_STARTS: Final = rb"(?:(?<![A-Za-z0-9_])(?<![A-Za-z0-9_]-)|(?<=\\[nrt]))"

# What stands there instead of a secret in SQL, format strings and source lines: masking it would change the statement.
_STANDS_IN: Final = (
    rb"(?!(?:\$\d+|%s|\?|:\w+|%\(\w+\)s|\{\w*\}|null|none|true|false|default)(?![^\s,;)])"
    rb"|(?:\w+\.)?(?P=name)(?![\w-])|[A-Za-z_][\w.]*\()"
)

_ASSIGNMENT: Final = re.compile(
    rb"(?i)" + _NAME_STARTS + rb"(?P<name>" + ALTERNATION + rb")(?![A-Za-z0-9_-])(?:"
    rb"(?P<bare>=" + _STANDS_IN + rb"(?P<bare_value>"
    rb"(?:[^\s\"'<>&;,\\]|\\(?![nrt\"'])|&(?![\w.-]{1,64}=)|;(?!\s|[\w.-]{1,64}=)|,(?!\s|[\w.-]{1,64}=))+))"
    rb"|(?P<number>\\*[\"']\s*:\s*(?P<number_value>-?\d[\w.+-]*))"
    rb"|(?:\\*[\"'])?\s*(?:=>|:=|==?|:)\s*(?:[burne]|U&)?(?:"
    rb"'(?P<single>" + _SINGLE_QUOTED + rb")|\"(?P<double>" + _DOUBLE_QUOTED + rb")"
    rb"|(?P<escaped_quote>\\+[\"'])(?P<escaped>[\s\S]*?)(?=(?P=escaped_quote)|\Z)))"
)


def _assignment(match: Match, mark: Mark) -> bytes:
    rule = rule_of(match["name"].decode()) or "secret"
    if match["number"]:
        return _replaced(match, "number_value", b'"' + mark(rule, match["number_value"]) + b'"')
    if match["bare"] and _follows_query_sign(match):
        return match[0]
    group = "bare_value" if match["bare"] else next(g for g in _QUOTED_GROUPS if match[g] is not None)
    return _replaced(match, group, mark(rule, match[group])) if match[group] else match[0]


_QUOTED_GROUPS: Final = ("single", "double", "escaped")


def _follows_query_sign(match: Match) -> bool:
    return match.string[match.start() - 1 : match.start()] in (b"?", b"&")


_SQL_PASSWORD: Final = re.compile(
    rb"(?i)password\s+(?:(?:[en]|U&)?'(?P<single>" + _SINGLE_QUOTED + rb")"
    rb"|(?P<tag>\$\w*\$)(?P<dollar>[\s\S]*?)(?=(?P=tag)|\Z))"
)


def _sql_password(match: Match, mark: Mark) -> bytes:
    group = "dollar" if match["tag"] else "single"
    return _replaced(match, group, mark("password", match[group])) if match[group] else match[0]


_ELEMENT: Final = re.compile(
    rb"(?i)<(?:[\w-]{1,64}:)?(?P<name>" + ALTERNATION + rb")(?:\s[^<>]*)?>(?P<value>[^<]+)(?=<)"
)


def _element(match: Match, mark: Mark) -> bytes:
    return _replaced(match, "value", mark(rule_of(match["name"].decode()) or "secret", match["value"]))


# ---- URLs ------------------------------------------------------------------------------------------------------------

# A password ends at the last @ before the path; one that holds / ? or # unescaped ends at the first @. A port is none.
_DSN: Final = re.compile(
    rb"://[^\s/?#:@\"'<>\[\]]*:(?:(?P<value>[^\s/?#\"'<>]+)|(?P<loose>(?!\d{1,5}[/?#])(?:[^\s@\"'<>:]|:(?!//))+))@"
)


def _dsn(match: Match, mark: Mark) -> bytes:
    group = "value" if match["value"] else "loose"
    return _replaced(match, group, percent_encoded(mark("password", unquote_to_bytes(match[group]))))


_QUERY: Final = re.compile(rb"[?&](?P<name>[A-Za-z0-9_.\[\]%+-]{1,64})=(?P<value>[^&#\s\"'<>\\]+)")


def _query(match: Match, mark: Mark) -> bytes:
    rule = rule_of(unquote_to_bytes(match["name"]).decode("latin-1"))
    if rule is None:
        return match[0]
    secret = unquote_to_bytes(match["value"].replace(b"+", b" "))
    return _replaced(match, "value", percent_encoded(mark(rule, secret)))


# ---- tokens and keys -------------------------------------------------------------------------------------------------

_PRIVATE_KEY: Final = re.compile(
    rb"(?P<value>-----BEGIN [A-Z ]{0,30}PRIVATE KEY[A-Z ]{0,10}-----[^-]*(?:-(?!----)[^-]*)*"
    rb"(?:-----END [A-Z ]{0,50}-----)?)"
)
_NOT_TOKENS: Final = rb"(?:auth[a-z]*|credentials?|realm|tokens?|schemes?|security|required|requests?)"
_BEARER: Final = re.compile(
    rb"(?i)bearer[ \t]+(?!" + _NOT_TOKENS + rb"(?![A-Za-z0-9_~+/-]))(?P<value>[A-Za-z0-9._~+/=-]{8,})"
)
_BASIC: Final = re.compile(rb"(?i)basic[ \t]+(?P<value>[A-Za-z0-9+/_-]{4,}={0,2})")
_TOKEN_STARTS: Final = rb"(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=\\[nrt]))"
_JWT: Final = re.compile(
    _TOKEN_STARTS
    + rb"(?P<value>eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*)?)"
)
_AWS: Final = re.compile(_TOKEN_STARTS + rb"(?P<value>A[KS]IA[A-Z0-9]{16})(?![A-Z0-9])")


def _basic(match: Match, mark: Mark) -> bytes:
    return (
        _replaced(match, "value", mark("basic", match["value"])) if _is_user_and_password(match["value"]) else match[0]
    )


def _is_user_and_password(encoded: bytes) -> bool:
    try:
        decoded = b64decode(encoded.rstrip(b"=") + b"=" * (-len(encoded.rstrip(b"=")) % 4))
        return ":" in (text := decoded.decode()) and text.isprintable()
    except (binascii.Error, UnicodeDecodeError):
        return False


_RULES: Final = (  # what holds other secrets comes first
    _Rule((b"-----BEGIN ",), _PRIVATE_KEY, _always("private_key")),
    _Rule((b"'", b"$"), _SQL_PASSWORD, _sql_password, by_name=True),
    _Rule((b"=", b"'", b'"'), _ASSIGNMENT, _assignment, by_name=True),
    _Rule((b"</",), _ELEMENT, _element, by_name=True),
    _Rule((b"://",), _DSN, _dsn),
    _Rule((b"=",), _QUERY, _query, by_name=True),
    _Rule((b"earer ", b"EARER "), _BEARER, _always("bearer")),
    _Rule((b"asic ", b"ASIC "), _BASIC, _basic),
    _Rule((b"eyJ",), _JWT, _always("jwt")),
    _Rule((b"AKIA", b"ASIA"), _AWS, _always("aws_access_key_id")),
)
