"""Values in JSON of which a neighbour in the same object tells: found in the bytes, good JSON or broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from timetracer_otel.redaction import signed_members
from timetracer_otel.redaction.json_strings import STRING_BODY, plain
from timetracer_otel.redaction.names import LONGEST_NAME
from timetracer_otel.redaction.pairs import MEMBERS, NAMING, paired

RuleOf = Callable[[str], "str | None"]
_SPACE: Final = rb"\s*(?:/\*[^*]{0,200}\*/\s*)?"
_NAMING: Final = "|".join(sorted(NAMING)).encode()
_STRING: Final = rb'"((?:[^"\\]|\\[\s\S]){1,%d})"' % LONGEST_NAME
_SAID: Final = re.compile(rb'["./](' + _NAMING + rb')"' + _SPACE + rb":" + _SPACE + _STRING, re.IGNORECASE)
_ANY_SAID: Final = re.compile(_STRING + _SPACE + rb":" + _SPACE + _STRING)
_TOKEN: Final = re.compile(rb'/\*[^*]{0,200}\*/|"(?P<body>' + STRING_BODY + rb')(?:"|\\?\Z)|[{}\[\],:]|[^\s"{}\[\],:]+')
_OPENING: Final = (b"{", b"[")
_CLOSING: Final = (b"}", b"]")


@dataclass(slots=True)
class _Object:
    """One that is open; a list is one without members."""

    member: str | None = None
    """Its name, in lower case, until its value comes."""
    texts: dict[str, list[str]] = field(default_factory=dict)
    """By member, of those that say what they are by a text; names may come twice."""
    places: dict[str, list[int]] = field(default_factory=dict)

    def take(self, token: re.Match[bytes]) -> None:
        """A value that is no container."""
        last = None if self.member is None else _last(self.member)
        if self.member is not None and (last in MEMBERS or last in signed_members.MEMBERS):
            self.places.setdefault(self.member, []).append(token.start())
            if token["body"] is not None and (last in NAMING or last == signed_members.BY_LOOK):
                self.texts.setdefault(self.member, []).append(_text(token["body"]))
        self.member = None

    def told(self, rule_of: RuleOf) -> Iterator[tuple[int, str, str]]:
        def rule_in(member: str) -> str | None:
            return next(filter(None, map(rule_of, self.texts.get(member, ()))), None)

        found = paired(self.places, rule_in) if self.texts else {}
        for member, rule in {**found, **signed_members.signed(self.places, self._hash_of)}.items():
            yield from ((place, member, rule) for place in self.places[member])

    def _hash_of(self, member: str) -> str | None:
        return next(filter(signed_members.is_hash, self.texts.get(member, ())), None)


def paired_values(data: bytes, rule_of: RuleOf) -> list[tuple[int, str, str]]:
    """Of each the place where it begins, the name of its member, and its rule. Scalars only: a document may describe
    a secret without telling it."""
    return list(_walked(data, rule_of)) if _may_tell(data, rule_of) else []


def _may_tell(data: bytes, rule_of: RuleOf) -> bool:
    """One search: nearly no document is walked."""
    if signed_members.may_tell(data):
        return True
    found = (_ANY_SAID if b"\\u00" in data else _SAID).finditer(data)
    return any(_last(_text(each[1])) in NAMING and rule_of(_text(each[2])) is not None for each in found)


def _walked(data: bytes, rule_of: RuleOf) -> Iterator[tuple[int, str, str]]:
    opened, last = [_Object()], None
    for token in _TOKEN.finditer(data):
        text = token[0]
        if text in _OPENING:
            opened[-1].member = None
            opened.append(_Object())
        elif text in _CLOSING:
            yield from opened.pop().told(rule_of)
            opened = opened or [_Object()]
        elif text == b":":
            opened[-1].member = _text(last["body"]).lower() if last is not None and last["body"] is not None else None
        elif text != b"," and not text.startswith(b"/*"):
            opened[-1].take(token)
            last = token
    for each in opened:  # it is cut off
        yield from each.told(rule_of)


def _last(member: str) -> str:
    return member.lower().rpartition(".")[2]


def _text(body: bytes) -> str:
    return plain(body).decode("utf-8", "replace")
