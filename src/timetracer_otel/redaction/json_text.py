"""JSON masked in place: markers are spliced into the bytes; order, spelling, duplicates and NaN around them survive.

Nothing is parsed into values. A member is found by its name; what follows is cut out by a tokenizer that knows strings,
brackets and the rest. So broken, cut off, concatenated and line-delimited JSON is masked as well as good JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from timetracer_otel.redaction.json_pairs import paired_values
from timetracer_otel.redaction.json_strings import STRING_BODY, escaped, plain
from timetracer_otel.redaction.masker import Masker
from timetracer_otel.redaction.names import LONGEST_NAME, Names
from timetracer_otel.redaction.structured import BEGINS_AS_JSON

_STRING: Final = re.compile(rb'"(' + STRING_BODY + rb')("|\\?\Z)')  # one that is cut off ends with the data
_BRACKET: Final = re.compile(rb'"' + STRING_BODY + rb'(?:"|\\?\Z)|[{}\[\]]')
_TOKEN: Final = rb'"' + STRING_BODY + rb'(?:"|\\?\Z)|[^\s"{}\[\],:]+'
_VALUE: Final = re.compile(_TOKEN)
# A string before a colon is a name, the string after that is none, whatever follows it.
_LEAF: Final = re.compile(
    rb'(?P<name>"' + STRING_BODY + rb'"\s*:\s*)(?P<member>' + _TOKEN + rb")?|(?P<item>" + _TOKEN + rb")"
)
_SPACE: Final = re.compile(rb"\s*(?:/\*[^*]{0,200}\*/\s*)?")
_KEPT: Final = frozenset((b"null", b"true", b"false"))

# In JSON nothing but a member's name ends in a quote and a colon. The look-behind finds the end of a dotted name too.
_NAME_STARTS: Final = rb'(?<=["./:\[])(?<!\\")('
_COLON: Final = rb'"\s*(?:/\*[^*]{0,200}\*/\s*)?:'
_NAME_ENDS: Final = rb")(?:\]|\[\d*\]|\.\d+)*" + _COLON
_ANY_NAME: Final = re.compile(rb'"((?:[^"\\]|\\[\s\S]){1,%d})' % LONGEST_NAME + _COLON)
_STYLED_NAME: Final = re.compile(rb'"([\w .:/\[\]-]{1,%d})' % LONGEST_NAME + _COLON)
_STYLE: Final = b"-_ "
_OUTSIDE_STRINGS: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\s{}\[\]:,0-9+\-.eE\x1etruefalsnNaIity]*")


_DEPTH: Final = 8
"""JSON inside of strings of JSON; what lies deeper is masked by pattern."""


def redact_json(data: bytes, path: str, masker: Masker, depth: int = 0) -> tuple[bytes, tuple[str, ...]]:
    """`data` masked, and paths such as `body.$..token`; the same object when nothing hits."""
    masked, paths = _once(data, path, masker, depth)
    if masked is data or _is_json(data):
        return masked, paths
    found, last = dict.fromkeys(paths), data
    while masked != last:  # in what is broken, a name is seen only once what stood before it is a marker
        last = masked
        masked, paths = _once(masked, path, masker, depth)
        found.update(dict.fromkeys(paths))
    return masked, tuple(found)


def scrub_plain(data: bytes, masker: Masker, depth: int = 0) -> bytes:
    """A value of which nothing is said: JSON by its names, anything else by pattern; the same object without a hit."""
    if depth < _DEPTH and BEGINS_AS_JSON.match(data):
        return redact_json(data, "", masker, depth)[0]
    return masker.scrub(data)


def _once(data: bytes, path: str, masker: Masker, depth: int) -> tuple[bytes, tuple[str, ...]]:
    is_escaped = data.find(b"\\u00") >= 0  # on bytes, `in` makes an exception first, and throws it away
    may_name = is_escaped or masker.rules.names.holds(data.translate(None, _STYLE))
    may_match = may_name or data.find(b"\\/") >= 0 or masker.shaped(data) or masker.may_be_string_in(data)
    if not may_match:
        return data, ()
    masked, names = _members(data, masker) if may_name else (data, [])
    paths = [f"{path}.$..{name}" for name in dict.fromkeys(names)]
    scrubbed = _strings(masked, masker, depth)
    if scrubbed != masked:
        paths.append(path)
    return (data if scrubbed == data else scrubbed), tuple(paths)


# ---- members by name -------------------------------------------------------------------------------------------------


def _members(data: bytes, masker: Masker) -> tuple[bytes, list[str]]:
    pieces, names, end = [], [], 0
    for start, name, rule in sorted((*_secret_members(data, masker), *paired_values(data, masker.rule_of))):
        if start < end:  # inside a member that is masked already
            continue
        stop, masked = masked_value(data, start, rule, masker)
        if masked != data[start:stop]:
            names.append(name)
        pieces += [data[end:start], masked]
        end = stop
    return b"".join([*pieces, data[end:]]), names


def _secret_members(data: bytes, masker: Masker) -> Iterator[tuple[int, str, str]]:
    """(where its value begins, name, rule)."""
    names = masker.rules.names
    if b"\\u00" not in data and not _has_odd_names(data, names):
        for found in _name_pattern(names).finditer(data):
            name = found[1].decode()
            yield _after_space(data, found.end()), name, names.rule_of(name) or "secret"
        return
    for found in _ANY_NAME.finditer(data):
        name = plain(found[1]).decode("utf-8", "replace")
        if (rule := names.rule_of(name)) is not None:
            yield _after_space(data, found.end()), name, rule


def _has_odd_names(data: bytes, names: Names) -> bool:
    """True if a secret name is spelled so that one search does not find it: `pass_word`, `api__key`, ` token `."""
    spelled = set(_STYLED_NAME.findall(data))
    secret = (name for name in spelled if names.rule_of(name.decode()) is not None)
    return any(_name_pattern(names).search(b'"' + name + b'":') is None for name in secret)


@lru_cache(maxsize=8)
def _name_pattern(names: Names) -> re.Pattern[bytes]:
    return re.compile(_NAME_STARTS + names.alternation + _NAME_ENDS, re.IGNORECASE)


def _after_space(data: bytes, start: int) -> int:
    space = _SPACE.match(data, start)
    return space.end() if space else start


def masked_value(data: bytes, start: int, rule: str, masker: Masker) -> tuple[int, bytes]:
    """Where the value at `start` ends, and what stands there instead."""
    if data[start : start + 1] in (b"{", b"["):
        stop = _container_end(data, start)
        return stop, _LEAF.sub(lambda leaf: _masked_leaf(leaf, rule, masker), data[start:stop])
    token = _VALUE.match(data, start)
    return (token.end(), _masked_token(token[0], rule, masker)) if token else (start, b"")


def _container_end(data: bytes, start: int) -> int:
    depth = 0
    for token in _BRACKET.finditer(data, start):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(data)


def _masked_leaf(leaf: re.Match[bytes], rule: str, masker: Masker) -> bytes:
    token = leaf["item"] or leaf["member"]
    return (leaf["name"] or b"") + (_masked_token(token, rule, masker) if token else b"")


def _masked_token(token: bytes, rule: str, masker: Masker) -> bytes:
    string = _STRING.fullmatch(token)
    if string is None:
        return token if token in _KEPT else b'"' + masker.mark(rule, token) + b'"'
    return b'"' + masker.mark(rule, plain(string[1])) + string[2] if string[1] else token


# ---- strings by pattern ----------------------------------------------------------------------------------------------


def _strings(data: bytes, masker: Masker, depth: int) -> bytes:
    known = masker.known if masker.may_be_string_in(data) else {}
    masked = _STRING.sub(lambda string: _masked_string(string, masker, known, depth), data)
    return masked if _is_json(masked) else masker.scrub(masked)


def _is_json(data: bytes) -> bool:
    """What is left between strings is JSON's own; if not, this is no JSON and is looked at as a whole."""
    return _OUTSIDE_STRINGS.fullmatch(_STRING.sub(b"", data)) is not None


def _masked_string(string: re.Match[bytes], masker: Masker, known: Mapping[bytes, bytes], depth: int) -> bytes:
    body = string[1]
    text = plain(body)
    marker = known.get(text)
    masked = marker if marker and not _is_name(string) else scrub_plain(text, masker, depth + 1)
    if masked is text:
        return string[0]
    return b'"' + (masked if text is body else escaped(masked, body)) + string[2]


def _is_name(string: re.Match[bytes]) -> bool:
    return string.string.startswith(b":", _after_space(string.string, string.end()))
