"""Markers of secrets in what an entry was asked and answered. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.base import Put
from timetracer_otel.redaction.markers import MARKER, MARKER_BYTES

_JSON: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{|\[(?!redacted:))")
"""How JSON begins that may hold a marker; a marker by itself begins with a bracket too."""


def is_json(data: bytes) -> bool:
    """True if a marker in `data` stands in a string of JSON."""
    return _JSON.match(data) is not None


def digits_in(value: Value) -> frozenset[str]:
    """Of every marker in plain data."""
    found: set[str] = set()

    def look(data: bytes, is_json: bool) -> bytes:
        found.update(match[2].decode() for match in MARKER_BYTES.finditer(data))
        return data

    put_into(value, look)
    return frozenset(found)


def are_swapped(was: str, now: str, known: frozenset[str]) -> bool:
    """True where one secret of the request stands in the place of another. `known`: the digits of their markers."""
    pairs = zip(MARKER.finditer(was), MARKER.finditer(now), strict=False)
    return any(old[2] != new[2] and {old[2], new[2]} <= known for old, new in pairs)


def put_into(value: Value, put: Put) -> Value:
    """The same with `put` done to every text and to all bytes; the same object where nothing changes."""
    if isinstance(value, bytes):
        return put(value, is_json(value))
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        found = put(data, is_json(data))
        return value if found == data else found.decode("utf-8", "surrogatepass")
    if isinstance(value, Mapping):
        fields = {name: put_into(each, put) for name, each in value.items()}
        return fields if any(fields[name] is not each for name, each in value.items()) else value
    if isinstance(value, (list, tuple)):
        items = [put_into(each, put) for each in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
