"""What lies over the events of a replay: they tell none of the secrets that the user supplied. Pure."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from timetracer_otel.redaction.markers import MARKER_BYTES
from timetracer_otel.redaction.memory import SHORTEST_PART

OURS: Final = frozenset({"event", "exchange", "session", "kind"})
"""Fields of an event by which its reader goes: a secret may be one of our own words."""
_CODED: Final = frozenset({"$b64", "$str"})
"""How `cassette.values` writes bytes and text that JSON has no room for."""


class Veil:
    """Puts the markers of secrets where these stand in text: as they are, escaped, percent-encoded, in hex or
    base64."""

    def __init__(self, secrets: Iterable[tuple[str, str]]) -> None:
        """Each is a marker and what it stands for."""
        pairs = [(marker.encode(), secret.encode("utf-8", "surrogatepass")) for marker, secret in secrets]
        found = {form: marker for marker, secret in pairs for form in _forms(secret)}
        self._hidden = _Forms(found)
        self._long = _Forms({form: marker for form, marker in found.items() if len(form) >= SHORTEST_PART})
        """Hidden in the names of members too: a short one may be the name of a field of ours."""

    def over(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """An event, as JSON data, with what is hidden masked."""
        if not self._hidden:
            return event
        return {name: value if name in OURS else self._value(value) for name, value in event.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._hidden.out_of_text(value)
        if isinstance(value, Mapping):
            return {self._long.out_of_text(name): self._member(name, each) for name, each in value.items()}
        return [self._value(each) for each in value] if isinstance(value, (list, tuple)) else value

    def _member(self, name: str, value: Any) -> Any:
        if name in _CODED and isinstance(value, str):
            return b64encode(self._hidden.out_of(b64decode(value))).decode()
        return self._value(value)


class _Forms:
    """What secrets look like, each with its marker."""

    def __init__(self, markers: Mapping[bytes, bytes]) -> None:
        self._markers = markers
        longest_first = sorted(markers, key=len, reverse=True)  # one may be a part of another
        # A marker stays: one of these may be the name of its rule.
        self._pattern = re.compile(b"|".join([MARKER_BYTES.pattern, *map(re.escape, longest_first)]))

    def __bool__(self) -> bool:
        return bool(self._markers)

    def out_of(self, data: bytes) -> bytes:
        return self._pattern.sub(lambda match: self._markers.get(match[0], match[0]), data)

    def out_of_text(self, text: str) -> str:
        return self.out_of(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _forms(secret: bytes) -> Iterator[bytes]:
    for read in (secret, secret.decode("latin-1").encode()):  # as text of an HTTP header is read
        yield from _spelt(read)


def _spelt(secret: bytes) -> Iterator[bytes]:
    text = secret.decode("utf-8", "surrogatepass")
    escaped = json.dumps(text)[1:-1]
    spelt = (text, escaped, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(escaped)[1:-1], repr(text)[1:-1])
    yield from (each.encode("utf-8", "surrogatepass") for each in spelt)
    coded = (quote(secret), quote(secret, safe=""), quote_plus(secret), secret.hex())
    yield from (each.encode() for each in coded)
    for shift in range(3):
        yield from _in_base64(secret, shift)


def _in_base64(secret: bytes, shift: int) -> Iterator[bytes]:
    """What all base64 has in common in which `shift` bytes, or three more and so on, stand before it."""
    first, last = -(-shift * 8 // 6), (shift + len(secret)) * 8 // 6
    for characters in (None, b"-_"):
        yield b64encode(b"\0" * shift + secret, characters)[first:last]
