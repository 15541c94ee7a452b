"""Secrets in answers of XML: members with the name of one, and values of which a neighbour says what they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import unescape

from timetracer_otel.redaction.pairs import paired

if TYPE_CHECKING:
    from timetracer_otel.redaction import Redactor

TAG: Final = re.compile(
    rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<[?!][^>]*>"
    rb"|<(?P<end>/?)(?:[\w.-]+:)?(?P<name>[\w.-]+)[^<>]*?(?P<empty>/?)>",
    re.DOTALL,
)
TEXT: Final = re.compile(rb">\s*([^<>]{1,160}?)\s*</")
CDATA: Final = re.compile(rb"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
DEPTH_MAX: Final = 100

Mark = Callable[[str, str], str]
"""What stands for a text under the name of a member."""


@dataclass(slots=True)
class _Member:
    name: str
    start: int
    """Of what is inside."""
    end: int = 0
    members: dict[str, _Member] = field(default_factory=dict)
    """By name in lower case; the last one of each."""


def may_tell(body: bytes, redactor: Redactor) -> bool:
    """False if no text in it is the name of a secret."""
    if not redactor.may_name(body):
        return False
    return any(redactor.rule_of(text.decode("utf-8", "replace")) for text in TEXT.findall(body))


def masked(body: bytes, names: frozenset[str], mark: Mark, redactor: Redactor) -> bytes:
    """The body masked; the same where nothing hits. `names` are secrets of the service, for which there is `mark`."""
    found = {span: text for span, text in _found(body, names, mark, redactor) if text}
    pieces, at = [], 0
    for (start, end), text in sorted(found.items()):
        if start >= at:
            pieces += [body[at:start], text]
            at = end
    return b"".join([*pieces, body[at:]]) if pieces else body


def _found(
    body: bytes, names: frozenset[str], mark: Mark, redactor: Redactor
) -> Iterator[tuple[tuple[int, int], bytes]]:
    for member in _members(body):
        if member.name in names and not member.members:
            text = _text(body[member.start : member.end])
            yield (member.start, member.end), mark(member.name, text).encode() if text.strip() else b""
        for value, rule in _told(body, member.members, redactor):
            for leaf in _leaves(value):
                text = _text(body[leaf.start : leaf.end])
                yield (leaf.start, leaf.end), redactor.marker(rule, text).encode() if text.strip() else b""


def _members(body: bytes) -> Iterator[_Member]:
    """Each, when it ends. What is not closed never does; a body may be cut off."""
    opened: list[_Member] = []
    for tag in TAG.finditer(body):
        name = (tag["name"] or b"").decode("utf-8", "replace")
        if not name or tag["empty"]:
            continue
        if not tag["end"]:
            opened.append(_Member(name, tag.end()))
            if len(opened) > DEPTH_MAX:
                return
        elif opened and opened[-1].name == name:
            member = opened.pop()
            member.end = tag.start()
            if opened:
                opened[-1].members[name.lower()] = member
            yield member


def _told(body: bytes, members: Mapping[str, _Member], redactor: Redactor) -> Iterator[tuple[_Member, str]]:
    def rule_in(name: str) -> str | None:
        return None if members[name].members else redactor.rule_of(_said(body, members[name]))

    for name, rule in paired(members, rule_in).items():
        yield members[name], rule


def _said(body: bytes, member: _Member) -> str:
    return _text(body[member.start : member.end]).strip()


def _leaves(member: _Member) -> Iterator[_Member]:
    if not member.members:
        yield member
    for each in member.members.values():
        yield from _leaves(each)


def _text(data: bytes) -> str:
    plain = CDATA.sub(lambda found: found[1], data)
    return unescape(plain.decode("utf-8", "replace"), {"&quot;": '"', "&apos;": "'"})
