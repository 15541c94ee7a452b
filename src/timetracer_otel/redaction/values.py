"""Masking of plain data: dicts and lists of any depth, without recursion, copied only where something is hit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from timetracer_otel.cassette.model import Value
from timetracer_otel.redaction.bodies import redact_body
from timetracer_otel.redaction.codings import coding_of
from timetracer_otel.redaction.json_text import scrub_plain
from timetracer_otel.redaction.masker import Masker
from timetracer_otel.redaction.pairs import NAMING, paired
from timetracer_otel.redaction.signed_members import TELLING, last_of, signed

_LEAF_TYPES: Final = frozenset((str, bytes, int, float, bool, type(None)))
"""Of nearly every leaf; the others are asked by isinstance, which costs ten times as much."""
_OPTION: Final = re.compile(r"--?[A-Za-z][\w-]*")
SHAPE_MAX: Final = 64
"""Names of a mapping that are remembered together."""
_DIGITS_MAX_BITS: Final = 8192  # Python refuses to spell longer integers in decimal


class _Place:
    """One container of the data and where it is; its copy exists once something under it was masked."""

    __slots__ = ("container", "copy", "key", "parent")

    def __init__(self, container: Any, parent: _Place | None, key: Any) -> None:
        self.container, self.parent, self.key = container, parent, key
        self.copy: Any = None

    def path(self, key: Any) -> str:
        steps, place = [_step(self, key)], self
        while place.parent is not None:
            steps.append(_step(place.parent, place.key))
            place = place.parent
        return "".join(reversed(steps[:-1]))  # the outermost list is the walker's own

    def put(self, key: Any, masked: Value) -> None:
        uncopied, place = [], cast("_Place | None", self)
        while place is not None and place.copy is None:
            uncopied.append(place)
            place = place.parent
        for place in reversed(uncopied):
            place.copy = dict(place.container) if isinstance(place.container, Mapping) else list(place.container)
            if place.parent is not None:
                place.parent.copy[place.key] = place.copy
        self.copy[key] = masked


def redact_value(value: Value, path: str, masker: Masker) -> tuple[Value, tuple[str, ...]]:
    """`value` masked by names and patterns, and the paths that hold a marker; the same object when nothing hits."""
    if is_clean(value, masker):
        return value, ()
    root = _Place([value], None, 0)
    unnamed: list[tuple[_Place, Any, str | bytes]] = []
    paths: list[str] = []
    for place, key, leaf, named in _leaves(root, masker):
        rule = named or (masker.rule_at(path + place.path(key)) if masker.has_places else None)
        if rule is None:
            if isinstance(leaf, str | bytes):
                unnamed.append((place, key, leaf))
        elif (masked := _whole(leaf, rule, masker)) is not leaf:
            _put(place, key, leaf, masked, paths)
    if masker.known:
        unnamed = [each for each in unnamed if not _mask_known(*each, masker, paths)]
    if masker.suspicious(
        b"\0".join(_bytes(leaf) for _, _, leaf in unnamed)
    ):  # one look at all: most data holds no secret
        for place, key, leaf in unnamed:
            _put(place, key, leaf, _scrubbed(leaf, masker), paths)
    return (value if root.copy is None else root.copy[0]), tuple(dict.fromkeys(path + step for step in paths))


def is_clean(value: Value, masker: Masker) -> bool:
    """True if nothing in it is to be masked, which is never wrong: one walk without places, as most data needs."""
    if masker.has_places:
        return False
    texts, others = list[str](), list[bytes]()
    waiting: list[Any] = [(value,)]
    while waiting:
        container = items = waiting.pop()
        is_named = container.__class__ is dict
        if is_named:
            if not _are_open(container, masker):
                return False
            items = container.values()
        for child in items:
            kind = child.__class__
            if kind is str:
                if not is_named and child[:1] == "-":  # it may be an option of a command line
                    return False
                texts.append(child)
            elif kind is dict or kind is list:
                waiting.append(child)
            elif kind is bytes:
                others.append(child)
            elif kind not in _LEAF_TYPES:
                return False
    known = masker.known
    if known and (any(_bytes(text) in known for text in texts) or not known.keys().isdisjoint(others)):
        return False
    text = "\0".join(texts)
    if not others and text.isascii():
        return not masker.suspicious_text(text)
    return not masker.suspicious(b"\0".join((_bytes(text), *others)))


def _are_open(mapping: Mapping[Any, Value], masker: Masker) -> bool:
    """Under none of its names is a secret, nor does one say that another has one."""
    names = masker.rules.names
    if len(mapping) <= SHAPE_MAX and names.are_open(tuple(mapping)):
        return True
    return not any(
        key.__class__ is not str
        or names.may_tell(key)
        or (child.__class__ is str and key.lower() in NAMING and masker.rule_of(child) is not None)
        for key, child in mapping.items()
    )


def _mask_known(place: _Place, key: Any, leaf: str | bytes, masker: Masker, paths: list[str]) -> bool:
    """True if the leaf is a secret of this trace, which stood under a secret name before."""
    marker = masker.known.get(_bytes(leaf))
    if marker is not None:
        _put(place, key, leaf, marker if isinstance(leaf, bytes) else marker.decode(), paths)
    return marker is not None


def _scrubbed(leaf: str | bytes, masker: Masker) -> str | bytes:
    if isinstance(leaf, bytes):
        return scrub_plain(leaf, masker) if coding_of(leaf) is None else redact_body(leaf, "", "", "", masker)[0]
    if leaf[:1] not in ("{", "["):
        return masker.scrub_text(leaf)
    data = _bytes(leaf)
    masked = scrub_plain(data, masker)
    return leaf if masked is data else masked.decode("utf-8", "surrogatepass")


def _put(place: _Place, key: Any, leaf: Value, masked: Value, paths: list[str]) -> None:
    if masked is not leaf:
        place.put(key, masked)
        paths.append(place.path(key))


def _leaves(root: _Place, masker: Masker) -> Iterator[tuple[_Place, Any, Value, str | None]]:
    waiting: list[tuple[_Place, str | None]] = [(root, None)]
    while waiting:
        place, rule = waiting.pop()
        for key, child, child_rule in _children(place.container, rule, masker):
            if _is_leaf(child):
                yield place, key, child, child_rule
            else:
                waiting.append((_Place(child, place, key), child_rule))


def _is_leaf(child: Value) -> bool:
    kind = child.__class__
    return kind in _LEAF_TYPES or (
        kind is not dict
        and kind is not list
        and (not isinstance(child, Mapping | Sequence) or isinstance(child, str | bytes))
    )


def _children(container: Any, rule: str | None, masker: Masker) -> Iterator[tuple[Any, Value, str | None]]:
    if container.__class__ is dict or isinstance(container, Mapping):
        told = _told(container, masker)
        for key, child in container.items():
            yield key, child, rule or (masker.rule_of(key) if isinstance(key, str) else None) or told.get(key)
        return
    option: str | None = None
    for index, child in enumerate(container):
        yield index, child, rule or option
        option = _rule_of_option(child, masker)


def _told(container: Mapping[Any, Value], masker: Masker) -> Mapping[Any, str]:
    """Rules of leaves of which a neighbour tells."""
    members = {key.lower(): key for key in container if isinstance(key, str)}

    def rule_in(member: str) -> str | None:
        said = container[members[member]]
        return masker.rule_of(said) if isinstance(said, str) else None

    found = {} if members.keys().isdisjoint(NAMING) else paired(members, rule_in)
    if not TELLING.isdisjoint(map(last_of, members)):
        found.update(signed(members, lambda member: container[members[member]]))
    return {members[member]: rule for member, rule in found.items() if _is_leaf(container[members[member]])}


def _rule_of_option(item: Value, masker: Masker) -> str | None:
    """`--password` in a command line: the argument after it is the secret."""
    if not isinstance(item, str) or item[:1] != "-" or not _OPTION.fullmatch(item):
        return None
    return masker.rule_of(item.lstrip("-"))


def _whole(leaf: Value, rule: str, masker: Masker) -> Value:
    if leaf is None or isinstance(leaf, bool):
        return leaf
    secret = _spelled(leaf)
    masked = masker.mark(rule, secret) if secret else secret
    if masked == secret:
        return leaf
    return masked if isinstance(leaf, bytes) else masked.decode()


def _spelled(leaf: Value) -> bytes:
    """As it would be spelled in text, so that a number and its digits get the same marker."""
    if isinstance(leaf, str | bytes):
        return _bytes(leaf)
    if isinstance(leaf, int) and leaf.bit_length() > _DIGITS_MAX_BITS:
        return hex(leaf).encode()
    return str(leaf).encode()


def _bytes(leaf: str | bytes) -> bytes:
    return leaf if isinstance(leaf, bytes) else leaf.encode("utf-8", "surrogatepass")


def _step(place: _Place, key: Any) -> str:
    return f".{key}" if isinstance(place.container, Mapping) else f"[{key}]"
