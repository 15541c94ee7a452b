"""Secrets of the user's own, in place of the markers of the request or task that runs again: what checks them is real,
and takes or refuses them.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_from_bytes

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import Put
from timetracer_otel.drivers.markers import digits_in, put_into
from timetracer_otel.errors import ReplayError
from timetracer_otel.redaction.markers import MARKER_BYTES
from timetracer_otel.redaction.memory import SHORTEST

OPTION: Final = "--secret"
FUNCTION: Final = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)\(\)")
_CALL: Final = re.compile(r":.*\(\)\s*\Z", re.DOTALL)
LISTED_MAX: Final = 10
BEFORE_MAX: Final = 101
"""Bytes in front of a marker that may tell its name."""
_NAME: Final = re.compile(rb"(?<![\w.\-])([\w.\-]{1,100})=$")
"""Of a cookie, of a field of a form or a query."""
_SCHEME: Final = re.compile(rb"(?<![\w\-])([A-Za-z][\w\-]{0,30}) $")
_ENCODED: Final = b"%"
"""How a marker begins where it stands in a URL or a form."""

Walk = Callable[[Exchange, Put], Exchange]
"""`EntryDriver.supplied`."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One of a recorded request: what stands for it, and around it."""

    rule: str
    digest: str
    name: str
    """Of the cookie or the field; empty where the rule is the name."""
    scheme: str
    """What a header says before it, such as `Bearer`."""

    @property
    def marker(self) -> str:
        return f"[redacted:{self.rule}#{self.digest}]"

    @property
    def label(self) -> str:
        return self.name or self.rule

    def is_called(self, name: str) -> bool:
        """True for its name, its rule, and either with `#` and the digits of its marker."""
        called, _, digest = name.partition("#")
        names = {_plain(each) for each in (self.name, self.rule) if _plain(each)}
        return _plain(called) in names and digest in ("", self.digest)


class Supply:
    """For one replay."""

    def __init__(self, named: Mapping[str, str], walk: Walk, recorded: Exchange) -> None:
        """`named`: a value by the name of its secret, or `module:function()` that gives it. Raises ReplayError for a
        name that is not clear."""
        self._walk, self._secrets = walk, _found(recorded, walk)
        self.named = {name: source for name, source in named.items() if self._called(name)}
        """Those that the request has."""
        self._sources = {self._one(name): source for name, source in self.named.items()}
        self._idle = [name for name in named if name not in self.named]
        self._values: dict[bytes, bytes] = {}
        """What was sent, by the digits of its marker."""
        self.secrets: list[tuple[str, str]] = []
        """What was sent: markers, each with the value in its place."""

    def _called(self, name: str) -> list[Secret]:
        return [each for each in self._secrets if each.is_called(name)]

    def _one(self, name: str) -> Secret:
        found = self._called(name)
        if len(found) > 1:
            problem = f"several secrets of the request are called so: {', '.join(self._labels(found))}"
            raise ReplayError(f"{OPTION} {name}", problem, "name one of them")
        return found[0]

    def _labels(self, secrets: Sequence[Secret]) -> Iterator[str]:
        """What calls each of them and no other secret of the request."""
        times = Counter(_plain(each.label) for each in self._secrets)
        for each in secrets[:LISTED_MAX]:
            yield each.label if times[_plain(each.label)] == 1 else f"{each.label}#{each.digest}"

    def told(self) -> str:
        """What the report says of what was sent; empty where nothing was supplied."""
        names = ", ".join(self._labels([*self._sources]))
        return f"sent in place of markers, as you supplied them: {names}" if names else ""

    def left(self) -> Iterator[str]:
        """What the report says of equal values and of what stays masked, where the request went another way."""
        times = Counter(self._values.values())
        if alike := [each for each in self._sources if times[self._values.get(each.digest.encode(), b"")] > 1]:
            names = ", ".join(self._labels(alike))
            yield f"one value was sent for several secrets, and what the application hands on is known as one: {names}"
        masked = [each for each in self._secrets if each not in self._sources]
        if not masked:
            return
        names = ", ".join(self._labels(masked))
        yield f"secrets of the request are masked, what checks one refuses it ({OPTION} supplies one): {names}"
        for name in self._idle[:LISTED_MAX]:
            yield f"{OPTION} {name}: no secret of the request is called so"

    def held(self, answers: Iterable[Payload]) -> Iterator[str]:
        """What the report says, where the request went another way, of what was sent and recorded answers hold too."""
        digits = frozenset[str]().union(*map(digits_in, answers))
        if held := [each for each in self._sources if each.digest in digits]:
            names = ", ".join(self._labels(held))
            yield f"recorded answers hold markers of what you supplied, what compares the two finds another: {names}"

    def into(self, exchange: Exchange) -> Exchange:
        """The request with the values in place. Raises ReplayError where a function gives none."""
        made = {secret: _value(secret, source) for secret, source in self._sources.items()}
        self._values = {secret.digest.encode(): _octets(value) for secret, value in made.items()}
        self.secrets = [(secret.marker, value) for secret, value in made.items()]
        return self._walk(exchange, self._put) if made else exchange

    def _put(self, data: bytes, is_json: bool) -> bytes:
        return MARKER_BYTES.sub(lambda match: _spelt(match, self._values, is_json), data)

    def are_same(self, recorded: Value, replayed: Value) -> bool:
        """True for texts that only masking makes different: a secret that was supplied may be a word of any answer."""
        are_texts = isinstance(recorded, str) and isinstance(replayed, str)
        return are_texts and put_into(recorded, self._put) == put_into(replayed, self._put)

    def known(self) -> dict[bytes, bytes]:
        """`secrets` as redaction knows them: the marker by what it stands for."""
        return {_octets(value): marker.encode() for marker, value in self.secrets}

    def hidden(self) -> list[tuple[str, str]]:
        """Of `secrets` what a report must not tell; a short one would be found in too much of it."""
        return [each for each in self.secrets if len(_octets(each[1])) >= SHORTEST]


def _found(recorded: Exchange, walk: Walk) -> list[Secret]:
    found: dict[str, Secret] = {}

    def look(data: bytes, is_json: bool) -> bytes:
        for match in MARKER_BYTES.finditer(data):
            digest, before = match[2].decode(), data[max(0, match.start() - BEFORE_MAX) : match.start()]
            name, scheme = (_group(pattern.search(before)) for pattern in (_NAME, _SCHEME))
            found.setdefault(digest, Secret(match[1].decode(), digest, name, scheme))
        return data

    walk(recorded, look)
    return list(found.values())


def _group(match: re.Match[bytes] | None) -> str:
    return match[1].decode() if match is not None else ""


def _plain(name: str) -> str:
    """Case and style of a name do not matter: `X-Api-Key`, `x_api_key`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _value(secret: Secret, source: str) -> str:
    if _CALL.search(source) and FUNCTION.fullmatch(source) is None:  # no secret ends so: it would be refused as one
        raise ReplayError(f"{OPTION} {secret.label}", "it names no function", "write module:function()")
    text = source if (named := FUNCTION.fullmatch(source)) is None else _made(secret, *named.groups())
    scheme, _, rest = text.partition(" ")
    is_doubled = bool(secret.scheme and rest) and scheme.lower() == secret.scheme.lower()
    return rest if is_doubled else text


def _made(secret: Secret, module: str, function: str) -> str:
    """By the user's function. Whatever it raises is told in one line: it has no part in what is replayed."""
    where = f"{OPTION} {secret.label}"
    try:
        with ThreadPoolExecutor(1) as apart:  # a web framework's helper may want an event loop of its own
            made = apart.submit(_called, module, function).result()
    except (Exception, SystemExit) as error:
        problem = f"{module}:{function}() raised {' '.join(f'{type(error).__name__}: {error}'.split())}"
        raise ReplayError(where, problem, "correct it, or give a value") from error
    if not isinstance(made, str) or not made:
        given = type(made).__name__ if made else "nothing"
        raise ReplayError(where, f"{module}:{function}() gave {given}", "let it return a text")
    return made


def _called(module: str, function: str) -> object:
    made = getattr(importlib.import_module(module), function)()
    return asyncio.run(made) if inspect.iscoroutine(made) else made


def _spelt(match: re.Match[bytes], values: Mapping[bytes, bytes], is_json: bool) -> bytes:
    """As the marker is: percent-encoded, or in a string of JSON."""
    value = values.get(match[2])
    if value is None:
        return match[0]
    if match[0].startswith(_ENCODED):
        return quote_from_bytes(value, safe="").encode()
    return json.dumps(value.decode("utf-8", "surrogatepass"), ensure_ascii=True)[1:-1].encode() if is_json else value
