"""Secrets that are known by their shape: one regular expression per rule.

Every expression is linear: it has a literal or a boundary to start at, and what it repeats cannot be cut in two ways.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes

from timetracer_otel.redaction.markers import Mark, percent_encoded
from timetracer_otel.redaction.names import Names
from timetracer_otel.redaction.near_names import NearNames

Match: TypeAlias = "re.Match[bytes]"
RuleOf: TypeAlias = Callable[[str], "str | None"]
Scrub: TypeAlias = Callable[[bytes, Mark], bytes]


class Shape(Protocol):
    """One rule that knows secrets by what they look like."""

    @property
    def needs(self) -> tuple[bytes, ...]:
        """It cannot hit where none of these is; empty if nothing can be said."""

    @property
    def by_name(self) -> bool:
        """It hits only next to a secret name."""

    def apply(self, data: bytes, mark: Mark) -> bytes:
        """`data` with its hits masked."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A shape that is a regular expression."""

    needs: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    masked: Callable[[Match, Mark], bytes]
    by_name: bool = False

    def apply(self, data: bytes, mark: Mark) -> bytes:
        return self.pattern.sub(lambda match: self.masked(match, mark), data)


def replaced(match: Match, group: str, new: bytes) -> bytes:
    """What matched, with `new` for the group."""
    start, end = (place - match.start() for place in match.span(group))
    return match[0][:start] + new + match[0][end:]


def always(rule: str) -> Callable[[Match, Mark], bytes]:
    """Masks the group `value`."""
    return lambda match, mark: replaced(match, "value", mark(rule, match["value"]))


# ---- names and values ------------------------------------------------------------------------------------------------

SINGLE_QUOTED: Final = rb"[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*"
DOUBLE_QUOTED: Final = rb'[^"\\]*(?:\\[\s\S][^"\\]*)*'
_NAME_STARTS: Final = rb"(?:(?<![A-Za-z0-9_])(?<![A-Za-z0-9_]-)|(?<=\\[nrt]))"

# What stands there instead of a secret in SQL, format strings and source lines: masking it would change the statement.
_STANDS_IN: Final = (
    rb"(?!(?:\$\d+|%s|\?|:\w+|%\(\w+\)s|\{\w*\}|null|none|true|false|default)(?![^\s,;)])"
    rb"|(?:\w+\.)?(?P=name)(?![\w-])|[A-Za-z_][\w.]*\()"
)

_AFTER_NAME: Final = (
    rb"(?![A-Za-z0-9_-])(?:"
    rb"(?P<bare>=" + _STANDS_IN + rb"(?P<bare_value>"
    rb"(?:[^\s\"'<>&;,\\]|\\(?![nrt\"'])|&(?![\w.-]{1,64}=)|;(?!\s|[\w.-]{1,64}=)|,(?!\s|[\w.-]{1,64}=))+))"
    rb"|(?P<number>\\*[\"']\s*:\s*(?P<number_value>-?\d[\w.+-]*))"
    rb"|(?:\\*[\"'])?\s*(?:=>|:=|==?|:)\s*(?:[burne]|U&)?(?:"
    rb"'(?P<single>" + SINGLE_QUOTED + rb")|\"(?P<double>" + DOUBLE_QUOTED + rb")"
    rb"|(?P<escaped_quote>\\+[\"'])(?P<escaped>[\s\S]*?)(?=(?P=escaped_quote)|\Z)))"
)


def _assignment(rule_of: RuleOf, match: Match, mark: Mark) -> bytes:
    rule = rule_of(match["name"].decode()) or "secret"
    if match["number"]:
        return replaced(match, "number_value", b'"' + mark(rule, match["number_value"]) + b'"')
    if match["bare"] and _follows_query_sign(match):
        return match[0]
    group = "bare_value" if match["bare"] else next(g for g in _QUOTED_GROUPS if match[g] is not None)
    return replaced(match, group, mark(rule, match[group])) if match[group] else match[0]


_QUOTED_GROUPS: Final = ("single", "double", "escaped")


def _follows_query_sign(match: Match) -> bool:
    return match.string[match.start() - 1 : match.start()] in (b"?", b"&")


# Reprs of Python: {'password': ['a', 'b']}, (b'cookie', b'sid=1').
_ITEM: Final = rb"[burU]?(?:'" + SINGLE_QUOTED + rb"(?:'|\\?\Z)|\"" + DOUBLE_QUOTED + rb"(?:\"|\\?\Z))"
_ITEMS_FOLLOW: Final = rb"\\*[\"']?\s*(?:=>|:=|==?|:)\s*[\[(][\[(\s]*(?P<items>(?:" + _ITEM + rb"[,\s\])(\[]*)+)"
_IN_ITEMS: Final = re.compile(
    rb"'(?P<single>" + SINGLE_QUOTED + rb")(?:'|\\?\Z)|\"(?P<double>" + DOUBLE_QUOTED + rb")(?:\"|\\?\Z)"
)
_PAIR_STARTS: Final = rb"(?:(?<=[\[(]b['\"])|(?<=\(u['\"])|(?<=\(['\"]))"
_PAIR_ENDS: Final = rb"['\"]\s*,\s*(?P<items>" + _ITEM + rb")\s*(?:[\])]|\Z)"


def _items(rule_of: RuleOf, match: Match, mark: Mark) -> bytes:
    rule = rule_of(match["name"].decode()) or "secret"
    masked = _IN_ITEMS.sub(lambda item: _item(rule, item, mark), match["items"])
    return replaced(match, "items", masked)


def _item(rule: str, item: Match, mark: Mark) -> bytes:
    group = "single" if item["single"] is not None else "double"
    value = item[group]
    if rule in ("cookie", "set_cookie"):
        return replaced(item, group, _COOKIE_VALUE.sub(lambda cookie: mark("cookie", cookie[0]), value))
    scheme = _SCHEME.match(value) if rule.endswith("authorization") else None
    start = scheme.end() if scheme else 0
    return replaced(item, group, value[:start] + mark(rule, value[start:])) if value[start:] else item[0]


_SCHEME: Final = re.compile(rb"[A-Za-z][\w-]{0,40} +(?=[^ ])")
_COOKIE_VALUE: Final = re.compile(rb"(?<==)[^;\s][^;]*|(?:(?<=\A)|(?<=;)|(?<=; ))[^;=\s][^;=]*(?=;|\Z)")

_SQL_PASSWORD: Final = re.compile(
    rb"(?i)password\s+(?:(?:[en]|U&)?'(?P<single>" + SINGLE_QUOTED + rb")"
    rb"|(?P<tag>\$\w*\$)(?P<dollar>[\s\S]*?)(?=(?P=tag)|\Z))"
)


def _sql_password(match: Match, mark: Mark) -> bytes:
    group = "dollar" if match["tag"] else "single"
    return replaced(match, group, mark("password", match[group])) if match[group] else match[0]


# CDATA that never ends goes to the end of the data: so the expression cannot fail there and be tried at each element.
# Text counts before a tag that closes, or right after the tag to any other or the end: `<user>:<password>@<x>` is none.
_ELEMENT_ENDS: Final = (
    rb"(?:\s[^<>]*)?>(?:\s*<!\[CDATA\[(?P<value>[^\]]*(?:\](?!\]>)[^\]]*)*)(?:\]\]>|\Z)"
    rb"|(?P<text>[^<]+(?=<[/!?])|[^<\s\]][^<]+(?=<|\Z)))"
)
# <input type="hidden" name="csrf_token" value="..."> and <meta name="csrf-token" content="...">, in either order
_FIELD_VALUE: Final = rb"\b(?:value|content)\s*=\s*(?:(?P<quote>[\"'])(?P<value>[^\"'<>]+)|(?P<unquoted>[^\s\"'<>]+))"
_FIELD_ENDS: Final = rb"[\"']?(?=[\s/])[^<>]{0,500}?" + _FIELD_VALUE
_FIELD: Final = re.compile(
    rb"(?i)<(?:input|meta)\b[^<>]{0,500}?" + _FIELD_VALUE + rb"(?:(?P=quote)|(?=\s))"
    rb"[^<>]{0,500}?\bname\s*=\s*[\"']?(?P<name>[\w.\[\]-]{1,64})"
)


def _field(rule_of: RuleOf, match: Match, mark: Mark) -> bytes:
    rule = rule_of(match["name"].decode())
    group = "unquoted" if match["value"] is None else "value"
    return match[0] if rule is None else replaced(match, group, mark(rule, match[group]))


def _element(rule_of: RuleOf, match: Match, mark: Mark) -> bytes:
    group = "value" if match["value"] is not None else "text"
    return (
        replaced(match, group, mark(rule_of(match["name"].decode()) or "secret", match[group]))
        if match[group]
        else match[0]
    )


# Greedy: a value may hold `)`, and one value masked too much beats a piece of one left.
_KEY: Final = re.compile(rb"\((?P<names>[^()=]{1,500})\)=\((?P<values>[^\r\n]*)\)")


def _key(rule_of: RuleOf, match: Match, mark: Mark) -> bytes:
    """`Key (name, token)=(ann, abc) already exists.`, as PostgreSQL says it."""
    rules = [rule_of(name.strip(' "')) for name in match["names"].decode("latin-1").split(", ")]
    values = match["values"].split(b", ")
    if not any(rules):
        return match[0]
    if len(values) != len(rules):
        rules, values = [next(filter(None, rules))], [match["values"]]
    pairs = zip(rules, values, strict=True)
    return replaced(match, "values", b", ".join(value if rule is None else mark(rule, value) for rule, value in pairs))


# All of it: which value of the row stands in which column is not said. A value may hold `).`, but hardly before the end
# of a line; of a text that was cut, all that is left.
_FAILING_ROW: Final = re.compile(rb"Failing row contains \((?P<value>[\s\S]+?)(?:\)\.(?=[\r\n\"']|\\+[nr\"']|\Z)|\Z)")

_OPTION_ENDS: Final = rb"(?![A-Za-z0-9_-])(?:=|[ \t]+)(?P<quote>['\"]?)(?P<value>[^\s'\"-][^\s'\"]*)"


def _option(rule_of: RuleOf, match: Match, mark: Mark) -> bytes:
    """`--password abc` of a command line."""
    return replaced(match, "value", mark(rule_of(match["name"].decode()) or "secret", match["value"]))


# ---- URLs ------------------------------------------------------------------------------------------------------------

# A password ends at the last @ before the path; one that holds / ? or # unescaped ends at the first @. A port is none.
_DSN: Final = re.compile(
    rb"://[^\s/?#:@\"'<>\[\]]*:(?:(?P<value>[^\s/?#\"'<>]+)|(?P<loose>(?!\d{1,5}[/?#])(?:[^\s@\"'<>:]|:(?!//))+))@"
)


def _dsn(match: Match, mark: Mark) -> bytes:
    group = "value" if match["value"] else "loose"
    return replaced(match, group, percent_encoded(mark("password", unquote_to_bytes(match[group]))))


_FIELD_NAME: Final = rb"[A-Za-z0-9_.\[\]%+-]{1,64}"
# A URL that stands in another one as it is begins anew: `?next=https://shop.example/?token=abc`.
_QUERY: Final = re.compile(
    rb"[?&](?P<name>" + _FIELD_NAME + rb")=(?P<value>(?:[^&#\s\"'<>\\?]+|\?(?!" + _FIELD_NAME + rb"=))+)"
)


_QUERY_DEPTH: Final = 8
"""URLs inside of URLs; what lies deeper is masked as a whole."""
_INNER_EQUALS: Final = re.compile(rb"(?i)%(?:25)*3D")


def _query(rule_of: RuleOf, match: Match, mark: Mark, depth: int = 0) -> bytes:
    rule = rule_of(unquote_to_bytes(match["name"]).decode("latin-1"))
    secret = unquote_to_bytes(match["value"].replace(b"+", b" "))
    if rule is not None:
        return replaced(match, "value", percent_encoded(mark(rule, secret)))
    if not _INNER_EQUALS.search(match["value"]):
        return match[0]
    if depth == _QUERY_DEPTH:
        return replaced(match, "value", percent_encoded(mark("unredactable", secret)))
    inner = _inner_query(rule_of, secret, mark, depth + 1)
    return match[0] if inner == secret else replaced(match, "value", quote_from_bytes(inner, safe="").encode())


def _inner_query(rule_of: RuleOf, url: bytes, mark: Mark, depth: int) -> bytes:
    """A URL inside of a URL, encoded once more or not."""
    if b"=" in url or depth == _QUERY_DEPTH:
        return _QUERY.sub(lambda found: _query(rule_of, found, mark, depth), url)
    decoded = unquote_to_bytes(url)
    inner = _inner_query(rule_of, decoded, mark, depth + 1)
    return url if inner == decoded else quote_from_bytes(inner, safe="").encode()


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
# What stands before a token is looked at after its first letters: a search for letters is quick, for a place it is not.
_JWT: Final = re.compile(
    rb"(?P<value>eyJ(?:(?<![A-Za-z0-9_-]eyJ)|(?<=%[0-9A-Fa-f][0-9A-Fa-f]eyJ)|(?<=\\[nrt]eyJ))"
    rb"[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*)?)"
)
_AWS: Final = re.compile(
    rb"(?P<value>A[KS]IA(?:(?<![A-Za-z0-9_-]A[KS]IA)|(?<=%[0-9A-Fa-f][0-9A-Fa-f]A[KS]IA)|(?<=\\[nrt]A[KS]IA))"
    rb"[A-Z0-9]{16})(?![A-Z0-9])"
)
_GOOGLE: Final = re.compile(rb"(?P<value>AIza(?:(?<![A-Za-z0-9]AIza)|(?<=%3DAIza))[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])")


def _basic(match: Match, mark: Mark) -> bytes:
    return (
        replaced(match, "value", mark("basic", match["value"])) if _is_user_and_password(match["value"]) else match[0]
    )


def _is_user_and_password(encoded: bytes) -> bool:
    try:
        decoded = b64decode(encoded.rstrip(b"=") + b"=" * (-len(encoded.rstrip(b"=")) % 4))
        return ":" in (text := decoded.decode()) and text.isprintable()
    except (binascii.Error, UnicodeDecodeError):
        return False


# ---- all of them -----------------------------------------------------------------------------------------------------


def secret_shapes(names: Names) -> tuple[Shape, ...]:
    """The rules in the order in which they go over the data: what holds other secrets comes first."""
    name = rb"(?P<name>" + names.alternation + rb")"
    assignment = re.compile(rb"(?i)" + _NAME_STARTS + name + _AFTER_NAME)
    listed = re.compile(rb"(?i)" + _NAME_STARTS + name + rb"(?![A-Za-z0-9_-])" + _ITEMS_FOLLOW)
    pair = re.compile(rb"(?i)" + _PAIR_STARTS + name + _PAIR_ENDS)
    element = re.compile(rb"(?i)<(?:[\w-]{1,64}:)?" + name + _ELEMENT_ENDS)
    field = re.compile(rb"(?i)\bname\s*=\s*[\"']?" + name + _FIELD_ENDS)
    option = re.compile(rb"(?i)(?<![\w-])--" + name + _OPTION_ENDS)
    return (
        Expression((b"Failing row contains (",), _FAILING_ROW, always("row")),
        Expression((b"-----BEGIN ",), _PRIVATE_KEY, always("private_key")),
        Expression((b"'", b"$"), _SQL_PASSWORD, _sql_password, by_name=True),
        NearNames(names, (b"[", b"("), listed, partial(_items, names.rule_of)),
        NearNames(names, (b"(", b"[b"), pair, partial(_items, names.rule_of)),
        NearNames(names, (b"=", b"'", b'"'), assignment, partial(_assignment, names.rule_of)),
        Expression((b")=(",), _KEY, partial(_key, names.rule_of), by_name=True),
        Expression((b"--",), option, partial(_option, names.rule_of), by_name=True),
        Expression((b"<",), field, partial(_field, names.rule_of), by_name=True),
        Expression((b"<",), _FIELD, partial(_field, names.rule_of), by_name=True),
        Expression((b"<",), element, partial(_element, names.rule_of), by_name=True),
        Expression((b"://",), _DSN, _dsn),
        Expression((b"?", b"&"), _QUERY, partial(_query, names.rule_of), by_name=True),
        Expression((b"earer ", b"EARER ", b"earer\t", b"EARER\t"), _BEARER, always("bearer")),
        Expression((b"asic ", b"ASIC ", b"asic\t", b"ASIC\t"), _BASIC, _basic),
        Expression((b"eyJ",), _JWT, always("jwt")),
        Expression((b"AKIA", b"ASIA"), _AWS, always("aws_access_key_id")),
        Expression((b"AIza",), _GOOGLE, always("api_key")),
    )
