"""Ids in recorded answers, as this process has made them: an application that compares what it is told with what it has
told others finds its own."""

from __future__ import annotations

import base64
import re
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, cast

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers import registry
from timetracer_otel.replay.varying import UUID

SURE: Final = 12
"""Characters that are no other value by chance, wherever they stand. Fewer must stand by themselves."""
RAW_MIN: Final = 8
"""Bytes of what is known in hex."""
LOOKS_MAX: Final = 1 << 31
"""Characters that are looked at for one answer, all ids together; a larger one is left as it is."""
ALONE: Final = r"(?<![0-9A-Za-z])(?<![0-9]\.){}(?!\.?[0-9A-Za-z])"
HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")


class Renaming:
    """Of a replay, whose start-up and entry ask side by side. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        """Recorded ids, each with the one of this process, in each spelling."""

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """From now on these recorded ids are those of this process."""
        new = {was: now for pair in pairs for was, now in _spellings(*pair)}
        if new:
            with self._lock:
                self._names = {**self._names, **new}

    def applied(self, exchange: Exchange) -> Exchange:
        """The answer to hand on: the recorded one, where nothing in it is renamed."""
        names = self._in(exchange.result)
        if not names:
            return exchange
        renamed = cast(Payload, _renamed(exchange.result, names))
        return replace(exchange, result=registry.mended(exchange, renamed))

    def _in(self, result: Payload) -> dict[str, str]:
        """Those that stand in it."""
        names = self._names
        told = "\n".join(_texts(result)) if names else ""
        if len(told) * len(names) > LOOKS_MAX:
            return {}
        return {was: now for was, now in names.items() if was in told}


def _spellings(was: str, now: str) -> Iterator[tuple[str, str]]:
    """As text, as the hex and the groups of a UUID, as bytes and their base64."""
    if was == now or len(was) != len(now):
        return
    yield was, now
    if UUID.fullmatch(was) and UUID.fullmatch(now):
        for spelling in (str, _hex):
            yield spelling(uuid.UUID(was)), spelling(uuid.UUID(now))
        was, now = _hex(uuid.UUID(was)), _hex(uuid.UUID(now))
    if HEX.fullmatch(was) and HEX.fullmatch(now) and len(was) >= 2 * RAW_MIN:
        for coding in (_told, _base64):
            yield coding(bytes.fromhex(was)), coding(bytes.fromhex(now))


def _hex(value: uuid.UUID) -> str:
    return value.hex


def _told(data: bytes) -> str:
    """A character for each byte."""
    return data.decode("latin-1")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _texts(value: Value) -> Iterator[str]:
    """All values, without names of fields."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, (bytes, str)):
        yield _told(value) if isinstance(value, bytes) else value


def _renamed(value: Value, names: Mapping[str, str]) -> Value:
    if isinstance(value, Mapping):
        return {name: _renamed(each, names) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_renamed(each, names) for each in value]
    if isinstance(value, bytes):
        return _in_text(_told(value), names).encode("latin-1")
    return _in_text(value, names) if isinstance(value, str) else value


def _in_text(text: str, names: Mapping[str, str]) -> str:
    for was, now in names.items():
        if was not in text:
            continue
        if len(was) >= SURE:
            text = text.replace(was, now)
        else:
            text = now.join(re.split(ALONE.format(re.escape(was)), text))
    return text
